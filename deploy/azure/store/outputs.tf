output "container_id" {
  description = "ID of the container, for store_container_id."
  value       = "${azurerm_storage_account.this.id}/blobServices/default/containers/${azurerm_storage_container.this.name}"
}

output "resource_group_id" {
  description = "ID of the resource group, for store_resource_group_id."
  value       = azurerm_resource_group.this.id
}
