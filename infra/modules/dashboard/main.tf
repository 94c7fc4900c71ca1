# The web dashboard: its files in a bucket that nobody reads but its distribution, and the distribution, which has the API beside the page, so
# that both are of one origin, and the headers that the page is written for.

locals {
  media_types = {
    html = "text/html; charset=utf-8"
    js   = "text/javascript; charset=utf-8"
    css  = "text/css; charset=utf-8"
    wasm = "application/wasm"
    svg  = "image/svg+xml"
  }

  dist = var.files == null ? "${path.module}/../../../dashboard/dist" : var.files

  # The smaller copies beside the files are for a server that embeds them; CloudFront makes its own.
  files = toset([for file in fileset(local.dist, "**") : file if contains(keys(local.media_types), reverse(split(".", file))[0])])
}

data "aws_caller_identity" "this" {}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:The files are public, and who fetched them is nobody's business
  #checkov:skip=CKV_AWS_144:The files are made again from the release
  #checkov:skip=CKV_AWS_145:The files are public; a key of KMS would protect nothing, and could lock the page out
  #checkov:skip=CKV2_AWS_62:Nothing waits for the files to change
  bucket        = "${var.name}-dashboard-${data.aws_caller_identity.this.account_id}"
  force_destroy = true # It holds built files alone.
  tags          = var.tags
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

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

# What a newer release replaced is kept for a month, to go back to.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "replaced"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TheDistributionReads"
        Effect    = "Allow"
        Principal = { Service = "cloudfront.amazonaws.com" }
        Action    = "s3:GetObject"
        Resource  = "${aws_s3_bucket.this.arn}/*"
        Condition = { StringEquals = { "AWS:SourceArn" = aws_cloudfront_distribution.this.arn } }
      },
      {
        Sid       = "NothingInTheClear"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_s3_object" "file" {
  #checkov:skip=CKV_AWS_186:The files are public; a key of KMS would protect nothing, and could lock the page out
  for_each = local.files

  bucket       = aws_s3_bucket.this.id
  key          = "vault/${each.key}"
  source       = "${local.dist}/${each.key}"
  source_hash  = filemd5("${local.dist}/${each.key}")
  content_type = local.media_types[reverse(split(".", each.key))[0]]

  # The names of what is in `assets` have the hash of what it holds.
  cache_control = startswith(each.key, "assets/") ? "public, max-age=31536000, immutable" : "no-cache"
}

resource "aws_cloudfront_origin_access_control" "this" {
  name                              = "${var.name}-dashboard"
  description                       = "The bucket of ${var.name}'s dashboard"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_response_headers_policy" "this" {
  name = "${var.name}-dashboard"

  security_headers_config {
    content_security_policy {
      # Verification runs as WebAssembly in a Worker; nothing is loaded from elsewhere, nothing is called but this origin, and no text
      # becomes markup or code. crates/server/src/dashboard.rs has the same.
      content_security_policy = join("; ", [
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types svelte-trusted-html postq-vault",
      ])
      override = true
    }

    content_type_options {
      override = true
    }

    frame_options {
      frame_option = "DENY"
      override     = true
    }

    referrer_policy {
      referrer_policy = "no-referrer"
      override        = true
    }

    strict_transport_security {
      access_control_max_age_sec = 63072000
      include_subdomains         = true
      preload                    = true
      override                   = true
    }
  }

  custom_headers_config {
    items {
      header   = "Cross-Origin-Opener-Policy"
      value    = "same-origin"
      override = true
    }

    items {
      header   = "Permissions-Policy"
      value    = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
      override = true
    }
  }
}

# The page finds its way by the path, so that a path without a file is the page's.
resource "aws_cloudfront_function" "paths" {
  name    = "${var.name}-dashboard-paths"
  runtime = "cloudfront-js-2.0"
  comment = "/vault and all below it that names no file is the page"
  publish = true
  code    = file("${path.module}/paths.js")
}

resource "aws_cloudfront_distribution" "this" {
  #checkov:skip=CKV_AWS_86:The files are public, and who fetched them is nobody's business
  #checkov:skip=CKV_AWS_310:The files are made again from the release; a second bucket would have to be kept equal
  #checkov:skip=CKV_AWS_374:The organisations' people are wherever they are
  #checkov:skip=CKV2_AWS_47:Files alone are served, and no Java is behind them; `web_acl_arn` takes an ACL
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  comment         = "PostQ Vault ${var.name}: the dashboard"
  aliases         = var.domain == null ? [] : [var.domain.name]
  web_acl_id      = var.web_acl_arn
  price_class     = "PriceClass_100"

  default_root_object = "vault/index.html"
  tags                = var.tags

  origin {
    origin_id                = "files"
    domain_name              = aws_s3_bucket.this.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.this.id
  }

  # Whose name it is called by decides what API Gateway answers, so the viewer's stays here.
  origin {
    origin_id   = "api"
    domain_name = trimprefix(var.api_url, "https://")

    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "https-only"
      origin_ssl_protocols   = ["TLSv1.2"]
      origin_read_timeout    = 35 # A function may take 30 seconds.
    }
  }

  ordered_cache_behavior {
    path_pattern             = "/v1/*"
    target_origin_id         = "api"
    allowed_methods          = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cached_methods           = ["GET", "HEAD"]
    viewer_protocol_policy   = "https-only"
    compress                 = true
    cache_policy_id          = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" # AWS's own CachingDisabled
    origin_request_policy_id = "b689b0a8-53d0-40ab-baf2-68738e2966ac" # AWS's own AllViewerExceptHostHeader
  }

  default_cache_behavior {
    target_origin_id           = "files"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    viewer_protocol_policy     = "redirect-to-https"
    compress                   = true
    cache_policy_id            = "658327ea-f89d-4fab-a63d-7e88639e58f6" # AWS's own CachingOptimized
    response_headers_policy_id = aws_cloudfront_response_headers_policy.this.id

    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.paths.arn
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  lifecycle {
    precondition {
      condition     = contains(local.files, "index.html")
      error_message = "The dashboard is not built: `cargo xtask npm` builds it into dashboard/dist."
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.domain == null
    acm_certificate_arn            = try(var.domain.certificate_arn, null)
    ssl_support_method             = var.domain == null ? null : "sni-only"
    minimum_protocol_version       = var.domain == null ? "TLSv1" : "TLSv1.2_2021"
  }
}
