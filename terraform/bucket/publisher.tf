# The role of CI jobs that publish.

locals {
  # Known while planning, unlike the ARN of a provider in the same configuration.
  roles = length(var.oidc_subjects) > 0 ? 1 : 0

  # arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com
  issuer = var.oidc_provider_arn == null ? "" : split(":oidc-provider/", var.oidc_provider_arn)[1]
}

data "aws_iam_policy_document" "trust" {
  count = local.roles

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = [var.oidc_audience]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = var.oidc_subjects
    }
  }
}

data "aws_iam_policy_document" "publish" {
  statement {
    actions   = ["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion"]
    resources = [local.objects]
  }

  dynamic "statement" {
    for_each = local.signs ? [1] : []

    content {
      actions   = ["signer:GetSigningProfile", "signer:StartSigningJob"]
      resources = var.signing_profile_arns
    }
  }

  dynamic "statement" {
    for_each = local.signs ? [1] : []

    content {
      actions   = ["signer:DescribeSigningJob", "signer:ListSigningJobs"]
      resources = ["*"]
    }
  }

  # With it S3 answers 404 for an absent object, else 403.
  statement {
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.this.arn]
  }
}

resource "aws_iam_role" "publish" {
  count = local.roles

  name               = var.role_name
  assume_role_policy = data.aws_iam_policy_document.trust[0].json
  tags               = var.tags

  lifecycle {
    precondition {
      condition     = var.oidc_provider_arn != null
      error_message = "oidc_subjects need oidc_provider_arn: the identity provider that names them."
    }
  }
}

resource "aws_iam_role_policy" "publish" {
  count = local.roles

  name   = "publish"
  role   = aws_iam_role.publish[0].id
  policy = data.aws_iam_policy_document.publish.json
}
