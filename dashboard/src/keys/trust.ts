// What an account must allow, ready to be pasted: docs/aws.md has AWS's with its reasons.

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

/** What the role may do in AWS, and no more. */
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

/**
 * A role of Azure's for the application, with what the vault calls and no more: reading stands for listing and for finding what was
 * deleted, too.
 */
export function azureRole(): string {
  const may = ["read", "create/action", "delete", "wrap/action", "unwrap/action", "sign/action"];
  return pretty({
    Name: "PostQ Vault",
    IsCustom: true,
    Description: "Wraps data keys, and makes, uses and deletes halves",
    Actions: [],
    DataActions: may.map((what) => `Microsoft.KeyVault/vaults/keys/${what}`),
    AssignableScopes: ["/subscriptions/<your subscription>/resourceGroups/<the key vault's group>"],
  });
}

/** A role of Google's, with what the vault calls and no more, as a file for `gcloud iam roles create`. */
export function gcpRole(): string {
  const keys = ["create", "get", "list"].map((what) => `cloudkms.cryptoKeys.${what}`);
  const versions = ["destroy", "get", "useToDecrypt", "useToEncrypt", "useToSign", "viewPublicKey"].map((what) => `cloudkms.cryptoKeyVersions.${what}`);
  return pretty({
    title: "PostQ Vault",
    description: "Wraps data keys, and makes, uses and destroys halves",
    stage: "GA",
    includedPermissions: [...keys, ...versions],
  });
}

/** By what the application takes this deployment at its word, for this organisation alone. */
export function federatedCredential(externalId: string): string {
  return pretty({
    name: "postq-vault",
    issuer: "<the deployment's issuer: ask its operator>",
    subject: "<the deployment's subject: ask its operator>",
    audiences: [externalId],
  });
}

/** By what a pool of Google's takes this deployment at its word, for this organisation alone: Google's command takes no file for it. */
export function identityProvider(externalId: string): string {
  return [
    "gcloud iam workload-identity-pools providers create-oidc postq-vault",
    "--location=global",
    '--workload-identity-pool="<your pool>"',
    `--issuer-uri="<the deployment's issuer: ask its operator>"`,
    `--allowed-audiences="${externalId}"`,
    "--attribute-mapping=google.subject=assertion.sub",
    `--attribute-condition="assertion.sub in ['<its subjects: ask its operator>']"`,
  ].join(" \\\n  ");
}
