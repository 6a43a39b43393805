locals {
  index = jsondecode(file("${var.root}/dist/lambdas.json"))

  # There is no file without layers.
  layers = fileexists("${var.root}/dist/layers.json") ? jsondecode(file("${var.root}/dist/layers.json")) : {}

  # A run could not build these: they have no ZIP, or one of earlier inputs.
  unbuilt = sort([
    for id, entry in local.index : id
    if(try(entry.status, "") == "missing" || try(entry.stale, false)) &&
    (var.functions == null || contains(coalesce(var.functions, []), entry.lambda))
  ])

  unbuilt_layers = sort([
    for id, entry in local.layers : id
    if try(entry.status, "") == "missing" || try(entry.stale, false)
  ])
}
