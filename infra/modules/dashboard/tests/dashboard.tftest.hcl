# What the distribution serves, from where, and under which policy.

mock_provider "aws" {
  override_during = plan

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::any", bucket_regional_domain_name = "any.s3.eu-central-1.amazonaws.com" }
  }

  mock_resource "aws_cloudfront_distribution" {
    defaults = { arn = "arn:aws:cloudfront::123456789012:distribution/any" }
  }

  mock_resource "aws_cloudfront_function" {
    defaults = { arn = "arn:aws:cloudfront::123456789012:function/any" }
  }
}

variables {
  name    = "vault"
  api_url = "https://any.execute-api.eu-central-1.amazonaws.com"
  files   = "tests/files"
}

run "the_page_and_the_api_are_of_one_origin" {
  command = plan

  assert {
    condition     = one(aws_cloudfront_distribution.this.ordered_cache_behavior).path_pattern == "/v1/*" && one(aws_cloudfront_distribution.this.ordered_cache_behavior).target_origin_id == "api"
    error_message = "Calls under /v1 go to the API."
  }

  assert {
    condition     = length([for origin in aws_cloudfront_distribution.this.origin : origin if origin.origin_id == "api" && origin.domain_name == "any.execute-api.eu-central-1.amazonaws.com"]) == 1
    error_message = "The API is an origin of the distribution."
  }

  assert {
    condition     = strcontains(one(one(aws_cloudfront_response_headers_policy.this.security_headers_config).content_security_policy).content_security_policy, "connect-src 'self';")
    error_message = "The page calls nothing but its own origin."
  }
}

run "files_are_kept_by_their_names" {
  command = plan

  assert {
    condition     = toset(keys(aws_s3_object.file)) == toset(["index.html", "assets/index-0a1b.js"])
    error_message = "Every file of the page is there, and nothing else."
  }

  assert {
    condition     = aws_s3_object.file["index.html"].key == "vault/index.html" && aws_s3_object.file["index.html"].cache_control == "no-cache"
    error_message = "The page itself is asked for each time."
  }

  assert {
    condition     = strcontains(aws_s3_object.file["assets/index-0a1b.js"].cache_control, "immutable") && startswith(aws_s3_object.file["assets/index-0a1b.js"].content_type, "text/javascript")
    error_message = "What has a hash in its name is kept for good."
  }
}

run "a_page_that_is_not_built_is_said_so" {
  command = plan

  variables {
    files = "tests"
  }

  expect_failures = [aws_cloudfront_distribution.this]
}
