terraform {
  required_providers {
    google = {
      source = "hashicorp/google"
    }
  }
}

# For the one run a topic too few; for the other nothing to iterate over before
# it is created.
variable "names" {
  description = "of the topics"
  type        = set(string)

  validation {
    condition     = !contains(var.names, "Events")
    error_message = "Names are in lower case, because that is how they are looked up by everybody who subscribes."
  }
}

resource "google_pubsub_topic" "this" {
  for_each = var.names
  name     = each.value
}

resource "google_pubsub_topic" "copy" {
  for_each = toset([for topic in google_pubsub_topic.this : topic.id])
  name     = "copy"
}
