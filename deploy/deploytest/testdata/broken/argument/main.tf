terraform {
  required_providers {
    google = {
      source = "hashicorp/google"
    }
  }
}

resource "google_pubsub_topic" "this" {
  name     = "events"
  nickname = "ev"
}
