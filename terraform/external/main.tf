data "external" "lambdas" {
  program     = var.program
  working_dir = var.root
  query = merge(
    { plan = tostring(var.plan), layers = "true" },
    var.ids == null ? {} : { ids = join(" ", var.ids) },
  )
}

locals {
  entries = { for id, text in data.external.lambdas.result : id => jsondecode(text) }
}

module "arguments" {
  source = "./arguments"
  root   = var.root

  # The protocol of the program has strings only.
  entries = {
    for id, entry in local.entries : id =>
    merge(entry, { layers = compact(split(" ", try(entry.layers, ""))) })
  }
}

# A plan may take its hashes from lambdas.hashes.json. The apply then builds the ZIPs, and fails if a
# ZIP does not have its planned hash.
resource "terraform_data" "zip" {
  for_each         = var.plan ? local.entries : {}
  triggers_replace = [each.value.source_code_hash]
  input            = each.value.source_code_hash

  provisioner "local-exec" {
    interpreter = var.program
    working_dir = var.root
    command     = jsonencode({ id = each.key, source_code_hash = each.value.source_code_hash })
  }
}
