// Verifying for everybody, signed out.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { bed, bytes, dashboard, makeBed } from "./lib/bed.js";
import { downloaded, file } from "./lib/page.js";

const RECEIPT = fileURLToPath(new URL("../../examples/receipt/", import.meta.url));

makeBed();

describe("verifying, signed out", () => {
  const anonymous = (path, work, more) => dashboard(path, work, { token: undefined, ...more });

  test("by a receipt: good only by what was pinned", () =>
    anonymous("/verify", async (page) => {
      const [text, receipt] = await Promise.all(["hello.txt", "hello.postq.json"].map((name) => readFile(`${RECEIPT}${name}`)));
      const calls = [];
      page.on("request", (request) => request.url().includes("/v1/") && calls.push(request.url()));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("Choose the receipt first").waitFor();
      await page.getByLabel("Receipt", { exact: true }).setInputFiles(file("hello.postq.json", receipt));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("no file was checked").waitFor();
      await page.getByLabel("What was signed").setInputFiles(file("hello.txt", text));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("Consistent, but by keys you have not pinned").waitFor();
      await page.getByRole("button", { name: "Pin the signer" }).click();
      await page.getByRole("button", { name: "Pin the ledger" }).click();
      await page.getByText("Verified", { exact: true }).waitFor();
      await page.getByLabel("What was signed").setInputFiles(file("hello.txt", "another text"));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("Does not verify").waitFor();
      await page.getByLabel("What was signed").setInputFiles(file("hello.txt", text));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("Verified", { exact: true }).waitFor();
      await page.getByRole("button", { name: /^Forget the signer/ }).click();
      await page.getByText("Consistent, but by keys you have not pinned").waitFor();
      const { text: pins } = await downloaded(page, () => page.getByRole("button", { name: "Pins", exact: true }).click());
      assert.equal(JSON.parse(pins).ledgers.length, 1);
      assert.deepEqual(calls, [], "nothing was asked of the vault");
    }));

  test("pins that are added later are what the verdict is by, and a contradicting one is", () =>
    anonymous("/verify", async (page) => {
      const [text, receipt, pins] = await Promise.all(["hello.txt", "hello.postq.json", "pins.json"].map((name) => readFile(`${RECEIPT}${name}`)));
      await page.getByLabel("What was signed").setInputFiles(file("hello.txt", text));
      await page.getByLabel("Receipt", { exact: true }).setInputFiles(file("hello.postq.json", receipt));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("Consistent, but by keys you have not pinned").waitFor();
      await page.getByLabel("Add pins from a file").setInputFiles(file("pins.json", pins));
      await page.getByText("Verified", { exact: true }).waitFor();
      const { ledgers: [{ org }] } = JSON.parse(pins);
      const other = JSON.stringify({ v: 1, ledgers: [{ org, fingerprint: "1".repeat(64) }] });
      await page.getByLabel("Add pins from a file").setInputFiles(file("other.json", other));
      await page.getByText("pins another key for the ledger").waitFor();
      await page.getByRole("button", { name: /^Forget the ledger/ }).click();
      await page.getByLabel("Add pins from a file").setInputFiles(file("others.json", other));
      await page.getByText("Not by the ledger that you pinned").waitFor();
    }));

  test("by the pins of a file, which must be one", () =>
    anonymous("/verify", async (page) => {
      const [text, receipt, pins] = await Promise.all(["hello.txt", "hello.postq.json", "pins.json"].map((name) => readFile(`${RECEIPT}${name}`)));
      await page.getByLabel("Add pins from a file").setInputFiles(file("pins.json", '{"signers": ["me"]}'));
      await page.getByText("is no file of pins").waitFor();
      await page.getByLabel("Add pins from a file").setInputFiles(file("pins.json", pins));
      await page.getByLabel("Receipt", { exact: true }).setInputFiles(file("hello.postq.json", receipt));
      await page.getByLabel("What was signed").setInputFiles(file("hello.txt", text));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("Verified", { exact: true }).waitFor();
      await page.reload();
      await page.getByRole("button", { name: /^Forget the ledger/ }).waitFor();
    }));

  test("by a signature and a public key, in either form", async () => {
    const key = await bed.vault.postq.hybridKeys.create({ name: "given away", algorithm: "mldsa65+ecdsa-p256" });
    const { signature } = await bed.vault.postq.sign({ keyId: key.id, payload: bytes("by hand"), context: bytes("ctx") });
    await anonymous("/verify?by=signature", async (page) => {
      const verify = page.getByRole("button", { name: "Verify", exact: true });
      await page.getByLabel("What was signed").setInputFiles(file("file", "by hand"));
      await page.getByLabel("or the signature, pasted").fill(signature.replace(/(.{64})/g, "$1\n"));
      await page.getByRole("textbox", { name: "Public key" }).fill(key.publicKey);
      await verify.click();
      await page.getByText("Not valid").waitFor();
      await page.getByText("It was signed in a context").click();
      await page.getByLabel("Context, as text").fill("ctx");
      await verify.click();
      await page.getByText("Valid", { exact: true }).waitFor();
      await page.getByText(key.fingerprint).waitFor();
      await page.getByLabel("Signature", { exact: true }).setInputFiles(file("file.sig", Buffer.from(signature, "base64")));
      await verify.click();
      await page.getByText("Valid", { exact: true }).waitFor();
      await page.getByRole("textbox", { name: "Public key" }).fill("{}");
      await verify.click();
      await page.getByText("malformed_public_key").waitFor();
    });
  });
});

test("a verifier that could not be loaded is loaded by the next try", async () => {
  const key = await bed.vault.postq.hybridKeys.create({ name: "without a verifier" });
  const { signature } = await bed.vault.postq.sign({ keyId: key.id, payload: bytes("x") });
  await dashboard("/verify?by=signature", async (page, context) => {
    await context.route("**/*.wasm", (route) => route.abort());
    await page.getByLabel("What was signed").setInputFiles(file("x", "x"));
    await page.getByLabel("or the signature, pasted").fill(signature);
    await page.getByRole("textbox", { name: "Public key" }).fill(key.publicKey);
    const verify = page.getByRole("button", { name: "Verify", exact: true });
    await verify.click();
    await page.getByText("verifier_unavailable").waitFor();
    await context.unroute("**/*.wasm");
    await verify.click();
    await page.getByText("Valid", { exact: true }).waitFor();
  }, { token: undefined, expected: /ERR_FAILED|Failed to fetch/ });
});

test("a check that runs says nothing of what was chosen meanwhile", async () => {
  const [text, receipt, pins] = await Promise.all(["hello.txt", "hello.postq.json", "pins.json"].map((name) => readFile(`${RECEIPT}${name}`)));
  await dashboard("/verify", async (page) => {
    await page.getByLabel("Add pins from a file").setInputFiles(file("pins.json", pins));
    await page.getByText("is pinned here as well").waitFor();
    await page.getByLabel("Receipt", { exact: true }).setInputFiles(file("hello.postq.json", receipt));
    await page.getByLabel("What was signed").setInputFiles(file("large", Buffer.alloc(40 << 20, "x")));
    await page.getByRole("button", { name: "Verify", exact: true }).click();
    await page.getByLabel("What was signed").setInputFiles(file("hello.txt", text));
    await page.waitForTimeout(1500);
    assert.equal(await page.getByText(/^(Verified|Does not verify)$/).count(), 0);
    await page.getByRole("button", { name: "Verify", exact: true }).click();
    await page.getByText("Verified", { exact: true }).waitFor();
  }, { token: undefined });
});
