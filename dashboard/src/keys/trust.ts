// What an AWS account must allow, ready to be pasted: docs/aws.md has the same with its reasons.

import { pretty } from "../words.ts";

/** The trust policy of the role: the vault enters under the organisation's external id alone. */
export function trustPolicy(externalId: string): string {
  return pretty({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { AWS: "<the vault's role or account: ask its operator>" },
        Action: "sts:AssumeRole",
        Condition: { StringEquals: { "sts:ExternalId": externalId } },
      },
    ],
  });
}

/** What the role may do, and no more. */
export function permissions(keyArn: string): string {
  const marked = { StringLike: { "aws:ResourceTag/postq:deployment": "*" } };
  return pretty({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: ["kms:GenerateDataKey", "kms:Decrypt"], Resource: keyArn || "<the symmetric key's ARN>" },
      { Effect: "Allow", Action: ["kms:CreateKey", "kms:TagResource"], Resource: "*", Condition: { StringLike: { "aws:RequestTag/postq:deployment": "*" } } },
      { Effect: "Allow", Action: ["kms:Sign", "kms:GetPublicKey", "kms:DescribeKey", "kms:ListResourceTags", "kms:ScheduleKeyDeletion"], Resource: "*", Condition: marked },
      { Effect: "Allow", Action: "kms:ListKeys", Resource: "*" },
    ],
  });
}
