mock_provider "google" {}

variables {
  names = []
}

run "topics" {
  assert {
    condition     = length(google_pubsub_topic.this) == 1
    error_message = "there is no topic"
  }
}
