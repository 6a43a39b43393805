locals {
  objects = "${aws_s3_bucket.this.arn}/${var.prefix}/*"
  signs   = length(var.signing_profile_arns) > 0

  # AWS Signer writes below signing/, without If-None-Match. The key of a published object is a sha256.
  published = "${aws_s3_bucket.this.arn}/${var.prefix}/${join("", [for _ in range(64) : "?"])}.zip"
}

resource "aws_s3_bucket" "this" {
  bucket = var.bucket
  tags   = var.tags

  lifecycle {
    # Functions may run code from here.
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "OnlyByTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # A request that could replace an object has no If-None-Match. Parts of an upload never have it.
  statement {
    sid       = "CreateOnly"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = [local.signs ? local.published : local.objects]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Null"
      variable = "s3:if-none-match"
      values   = ["true"]
    }

    condition {
      test     = "Bool"
      variable = "s3:ObjectCreationOperation"
      values   = ["true"]
    }
  }

  statement {
    sid       = "VersionsStay"
    effect    = "Deny"
    actions   = ["s3:DeleteObjectVersion"]
    resources = ["${aws_s3_bucket.this.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = var.admin_arns
    }
  }

  dynamic "statement" {
    for_each = length(var.reader_arns) > 0 ? [1] : []

    content {
      sid       = "Readers"
      actions   = ["s3:GetObject", "s3:GetObjectVersion"]
      resources = [local.objects]

      principals {
        type        = "AWS"
        identifiers = var.reader_arns
      }
    }
  }

  # "Self-managed S3 code storage", in the developer guide of AWS Lambda.
  dynamic "statement" {
    for_each = length(var.lambda_account_ids) > 0 ? [1] : []

    content {
      sid       = "LambdaReadsCode"
      actions   = ["s3:GetObject", "s3:GetObjectVersion"]
      resources = [local.objects]

      principals {
        type        = "Service"
        identifiers = ["lambda.amazonaws.com"]
      }

      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = [for id in var.lambda_account_ids : "arn:*:lambda:*:${id}:*"]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = data.aws_iam_policy_document.bucket.json

  depends_on = [aws_s3_bucket_public_access_block.this]
}
