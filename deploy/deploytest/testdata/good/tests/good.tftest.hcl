mock_provider "google" {}

variables {
  project = "acme"
}

run "topics" {
  command = apply

  assert {
    condition     = length(output.topics) == 2
    error_message = "a topic is missing"
  }
}
