// Settings that are looked at in place of a vault that would try them out.

export const RING = "projects/my-project/locations/europe-west3/keyRings/postq";
export const KEY = `${RING}/cryptoKeys/kek`;
export const ACCOUNT = "postq-vault@my-project.iam.gserviceaccount.com";

/** As a vault shows them that has an account in each cloud. */
export const READ = {
  defaultKekProvider: "gcp-kms",
  dekCacheTtlSeconds: 60,
  aws: { keyArn: "arn:aws:kms:eu-central-1:123456789012:key/1234", roleArn: null, externalId: "postq-1", region: "eu-central-1" },
  azure: { vaultUrl: "https://customer.vault.azure.net", kekName: "kek", tenantId: "11111111-2222-3333-4444-555555555555", clientId: "11111111-2222-3333-4444-555555555555", auth: "federated", clientSecretConfigured: false, externalId: "postq-1" },
  gcp: { kekKeyName: KEY, keyRingName: RING, protectionLevel: "software", workloadIdentityProvider: null, serviceAccountEmail: ACCOUNT, serviceAccountKeyConfigured: true, externalId: "postq-1" },
  updatedAt: "2026-01-01T00:00:00.000Z",
};

/** Not every cloud is at hand: what would be asked is looked at, `{tested, saved}`, and answered as by a vault that has `stored` and takes everything. */
export async function pretending(page, stored) {
  const asked = { tested: [], saved: [], stored };
  const answer = (route, data) => route.fulfill({ json: { success: true, data } });
  await page.route("**/v1/vault/settings/test", (route) => {
    asked.tested.push(route.request().postDataJSON());
    return answer(route, { checks: [{ provider: "gcp", ok: true }] });
  });
  await page.route("**/v1/vault/settings", (route) => {
    const method = route.request().method();
    if (method === "DELETE") asked.stored = null;
    if (method === "PUT") {
      const { gcp, ...rest } = route.request().postDataJSON();
      asked.saved.push({ ...rest, gcp });
      asked.stored = { ...READ, dekCacheTtlSeconds: 0, ...rest, gcp: gcp && { ...READ.gcp, kekKeyName: gcp.kekKeyName }, updatedAt: new Date().toISOString() };
    }
    return answer(route, method === "DELETE" ? { cleared: true } : asked.stored);
  });
  await page.reload();
  return asked;
}
