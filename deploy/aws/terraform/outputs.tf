output "stack_id" {
  description = "ARN of the stack."
  value       = aws_cloudformation_stack.byokwatch.id
}

output "outputs" {
  description = "What the stack says of itself, such as the ARN of a signing key that it made."
  value       = aws_cloudformation_stack.byokwatch.outputs
}
