# Where Lambda takes the code from, and the hash that it reports for this code. `filename` is null if
# the code is in S3, and the others are null if it is not.
locals {
  code = {
    for id, entry in var.entries : id => {
      filename          = try("${var.root}/${entry.path}", null)
      s3_bucket         = try(entry.s3_bucket, null)
      s3_key            = try(entry.s3_key, null)
      s3_object_version = try(entry.s3_object_version, null)
      source_code_hash  = try(entry.source_code_hash, null)
      code_sha256       = try(entry.source_code_hash, null)
    }
  }
}
