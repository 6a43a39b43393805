locals {
  # The list of `lambdas publish`, or the index in dist/; without layers, there is no layers.json.
  files = var.published != null ? [var.published] : ["dist/lambdas.json", "dist/layers.json"]
  listed = merge([
    for file in local.files : jsondecode(file("${var.root}/${file}")) if fileexists("${var.root}/${file}")
  ]...)
  command = var.published != null ? "lambdas publish" : "doit"

  entries = {
    lambdas = {
      for id, entry in local.listed : id => entry if can(entry.lambda) &&
      (var.functions == null || contains(coalesce(var.functions, []), try(entry.lambda, "")))
    }
    layers = { for id, entry in local.listed : id => entry if can(entry.layer) }
  }

  # A run could not build these: they have no ZIP, or one of earlier inputs.
  unbuilt = {
    for kind, entries in local.entries : kind => sort([
      for id, entry in entries : id if try(entry.status, "") == "missing" || try(entry.stale, false)
    ])
  }

  # These have an entry, and their ZIP is not where it should be.
  absent = {
    for kind, entries in local.entries : kind => sort([
      for id, entry in entries : id if !contains(local.unbuilt[kind], id) && !(
        var.published != null ? can(entry.s3_key) : try(fileexists("${var.root}/${entry.path}"), false)
      )
    ])
  }
}

module "arguments" {
  source  = "./external/arguments" # there, because a module cannot leave its own folder
  root    = var.root
  entries = merge(local.entries.lambdas, local.entries.layers)
}
