// An account in AWS, as it is entered and as a request has it.

import type { AwsSettings, AwsSettingsRequest } from "@postq/sdk";
import { fitting } from "./entered.ts";

export interface AwsEntered {
  keyArn: string;
  roleArn: string;
}

export function awsEntered(stored: AwsSettings | null | undefined): AwsEntered {
  return { keyArn: stored?.keyArn ?? "", roleArn: stored?.roleArn ?? "" };
}

/** @throws {Wrong} */
export function awsRequest(entered: AwsEntered): AwsSettingsRequest {
  const keyArn = fitting("key-arn", entered.keyArn, ARN, "A key's ARN is complete, and no alias: arn:aws:kms:eu-central-1:123456789012:key/….");
  if (entered.roleArn.trim() === "") return { keyArn };
  return { keyArn, roleArn: fitting("role-arn", entered.roleArn, ROLE, "A role's ARN is arn:aws:iam::123456789012:role/….") };
}

const ARN = /^arn:aws[\w-]*:kms:[\w-]+:\d{12}:key\/[\w-]+$/;
const ROLE = /^arn:aws[\w-]*:iam::\d{12}:role\/.+$/;
