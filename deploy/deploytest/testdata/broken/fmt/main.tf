variable "project" {
  description = "the project"
      type    = string
}
