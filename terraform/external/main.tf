data "external" "lambdas" {
  program     = var.program
  working_dir = var.root
  query = merge(
    { plan = tostring(var.plan) },
    var.ids == null ? {} : { ids = join(" ", var.ids) },
  )
}

locals {
  lambdas = { for id, text in data.external.lambdas.result : id => jsondecode(text) }
}

# What was planned from the record is built by whoever applies, and must be what was planned.
resource "terraform_data" "zip" {
  for_each         = var.plan ? local.lambdas : {}
  triggers_replace = [each.value.source_code_hash]
  input            = each.value.source_code_hash

  provisioner "local-exec" {
    interpreter = var.program
    working_dir = var.root
    command     = jsonencode({ id = each.key, source_code_hash = each.value.source_code_hash })
  }
}
