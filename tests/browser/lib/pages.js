// Every page of the dashboard as it looks with something in it: for what is held against all of them, and for the pictures.

const bytes = (text) => new TextEncoder().encode(text);

/**
 * Lives in a vault for a while, and gives its pages: `{name, path, token, ready(page), expected}`. `ready` brings a page to where it is looked at;
 * `expected` is what its console may say.
 */
export async function open({ postq, token }) {
  const release = await postq.hybridKeys.create({ name: "release signing", allowFollow: true, metadata: { environment: "production", team: "platform" } });
  const follow = [];
  for (let at = 0; at < 20; at += 1) follow.push(postq.sign({ keyId: release.id, payload: bytes(`build ${at}`) }));
  await Promise.all(follow);
  const current = await postq.hybridKeys.rotate(release.id);
  await postq.hybridKeys.create({ name: "firmware", algorithm: "mldsa87+ecdsa-p256" });
  await postq.hybridKeys.create({ name: "container images", algorithm: "mldsa44+ecdsa-p256" });
  const leaked = await postq.hybridKeys.create({ name: "laptop of a former colleague", algorithm: "mldsa44+ed25519" });
  await postq.sign({ keyId: leaked.id, payload: bytes("before") });
  await postq.hybridKeys.revoke(leaked.id);
  await postq.sign({ keyId: leaked.id, payload: bytes("after") }).then(() => { throw new Error("a revoked key signed"); }, () => {});
  const signed = await postq.sign({ keyId: current.id, payload: bytes("hello"), metadata: { pipeline: 1207 } });
  await postq.ledger.append({ name: "deploy", message: "website 2.4.1 to production" });
  await postq.tokens.create({ name: "CI of the website", scopes: ["sign", "verify"], keyIds: [current.id] });
  const reader = await postq.tokens.create({ name: "auditor", scopes: ["keys:read", "audit:read"] });
  await postq.tokens.revoke(reader.id);
  await postq.policies.create({ name: "Production is at least tier 2", description: "Until the payments key has moved to our own KMS it is only written down.", action: "audit", environments: ["production"], rule: { matchOperation: "sign", minTier: 2 } });
  await postq.policies.create({ name: "No ML-DSA-44", action: "warn", enabled: false, rule: { matchOperation: "*", minPqLevel: 3 } });
  await postq.ledger.seal();
  const none = (await postq.tokens.create({ name: "verifies alone", scopes: ["verify"] })).token;
  const heading = (name) => (page) => page.getByRole("heading", { name, exact: true }).waitFor();
  const text = (what) => (page) => page.getByText(what).first().waitFor();
  const pages = [
    { name: "sign-in", path: "", token: undefined, ready: heading("Sign in") },
    { name: "overview", path: "", ready: async (page) => { await text("Checked here")(page); await text("A key was revoked")(page); } },
    { name: "keys", path: "/keys", ready: text("container images") },
    { name: "keys-none-fit", path: "/keys?name=nothing", ready: text("No key fits") },
    { name: "create-key", path: "/keys/new", ready: text("Tier 0: all in this vault") },
    { name: "key", path: `/keys/${current.id}`, ready: text(current.fingerprint) },
    { name: "key-revoked", path: `/keys/${leaked.id}`, ready: text("This key is revoked") },
    { name: "key-unknown", path: "/keys/key_00000000000000000000000000", ready: text("not_found"), expected: /status of 404/ },
    {
      name: "playground",
      path: `/keys/${current.id}?tab=playground`,
      ready: async (page) => {
        await page.getByRole("button", { name: "Sign", exact: true }).click();
        await page.getByRole("button", { name: "Break the classical half" }).click();
        await page.getByText("Not valid").nth(1).waitFor();
      },
    },
    { name: "lineage", path: `/keys/${current.id}?tab=lineage`, ready: text("Every link holds") },
    { name: "activity", path: `/keys/${current.id}?tab=activity`, ready: (page) => page.getByRole("cell", { name: "rotate", exact: true }).waitFor() },
    { name: "rotate", path: `/keys/${current.id}`, ready: async (page) => { await page.getByRole("button", { name: "Rotate" }).click(); await page.getByText("Another name, or other holders").click(); } },
    { name: "revoke", path: `/keys/${current.id}`, ready: async (page) => { await page.getByRole("button", { name: "Revoke" }).click(); await page.getByRole("dialog").getByText("in the last 30 days").waitFor(); } },
    {
      name: "audit",
      path: "/audit",
      ready: async (page) => {
        await page.getByRole("button", { name: "Verify the ledger" }).click();
        await page.getByRole("button", { name: "Pin this checkpoint" }).click();
        await text("Pinned at this checkpoint")(page);
        await text("website 2.4.1")(page);
      },
    },
    { name: "entry", path: `/audit?entry=${signed.eventId}`, ready: text("In the ledger.") },
    { name: "checkpoints", path: "/audit/checkpoints", ready: (page) => page.getByRole("table").waitFor() },
    { name: "verify", path: "/verify", token: undefined, ready: heading("Verify") },
    { name: "verify-signature", path: "/verify?by=signature", token: undefined, ready: (page) => page.getByRole("textbox", { name: "Public key" }).waitFor() },
    { name: "verify-bundle", path: "/verify?by=bundle", token: undefined, ready: text("its pages line by line") },
    { name: "policies", path: "/policies", ready: text("New keys are of level 3") },
    { name: "write-policy", path: "/policies", ready: async (page) => { await page.getByRole("button", { name: "Write a policy" }).click(); await page.getByRole("dialog").waitFor(); } },
    { name: "settings", path: "/settings", ready: async (page) => { await page.getByText("Trust policy of the role").click(); } },
    { name: "tokens", path: "/tokens", ready: text("CI of the website") },
    { name: "make-token", path: "/tokens", ready: async (page) => { await page.getByRole("button", { name: "Make a token" }).click(); await page.getByRole("dialog").waitFor(); } },
    { name: "palette", path: "/keys", ready: async (page) => { await text("container images")(page); await page.keyboard.press("Control+k"); await page.getByRole("combobox", { name: "Find" }).and(page.locator(":focus")).waitFor(); await page.keyboard.type("rel"); await page.getByRole("option", { name: /release signing/ }).first().waitFor(); } },
    { name: "keyboard", path: "/keys", ready: async (page) => { await text("container images")(page); await page.keyboard.press("?"); await page.getByRole("dialog").waitFor(); } },
    { name: "no-scope", path: "/keys", token: none, ready: text("keys:read") },
    { name: "not-found", path: "/nothing/here", ready: heading("There is no such page") },
  ];
  return pages.map((page) => ({ token, ...page }));
}
