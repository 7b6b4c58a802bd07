output "outputs" {
  description = "What the stack says of itself."
  value       = module.byokwatch.outputs
}
