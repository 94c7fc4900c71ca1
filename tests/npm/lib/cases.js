// Runs cases with a verifier, in whatever runtime this is loaded. No assertion here: what differs is handed back.

/** Vectors: `{halves, signatures, mutations}`, bytes as base64; see tests/npm_vectors.rs, which writes them. */
export function runCases(verifier, cases) {
  const { verify, fromBase64, halves } = verifier;
  const wrong = [];
  const ran = { halves: 0, signatures: 0, truncations: 0, flips: 0 };
  const differs = (what, expected, found) => {
    if (wrong.length < 20) wrong.push({ what, expected, found });
  };

  for (const { kind, id, publicKey, message, context, signature, expected } of cases.halves) {
    const [pk, m, c, s] = [publicKey, message, context, signature].map(fromBase64);
    const found = {
      mldsa44: () => halves.verifyMlDsa(44, pk, m, c, s),
      mldsa65: () => halves.verifyMlDsa(65, pk, m, c, s),
      mldsa87: () => halves.verifyMlDsa(87, pk, m, c, s),
      ed25519: () => halves.verifyEd25519(pk, m, s),
      "ecdsa-p256": () => halves.verifyEcdsaP256(pk, m, s),
      "ecdsa-p256-der": () => halves.verifyEcdsaP256Der(pk, m, s),
    }[kind]();
    if (found !== expected) differs(`${kind} ${id}`, expected, found);
    ran.halves += 1;
  }

  for (const { id, publicKey, payload, context, encoding, signature, expected } of cases.signatures) {
    const found = verify({ publicKey, payload: fromBase64(payload), context: fromBase64(context), encoding, signature });
    if (code(found) !== expected) differs(id, expected, found);
    ran.signatures += 1;
  }

  for (const { publicKey, payload, context, raw, lamps, flips, expected } of cases.mutations) {
    const input = { publicKey, payload: fromBase64(payload), context: fromBase64(context) };
    const algorithm = verifier.describePublicKey(publicKey).algorithm;
    for (const [encoding, whole] of Object.entries({ postq: fromBase64(raw), lamps: fromBase64(lamps) })) {
      const good = verify({ ...input, encoding, signature: whole });
      if (code(good) !== 3) differs(`${algorithm} ${encoding}`, 3, good);
      for (let length = 0; length < whole.length; length += 1) {
        const found = verify({ ...input, encoding, signature: whole.subarray(0, length) });
        if (code(found) !== 0 || !found.reason) differs(`${algorithm} ${encoding}, ${length} bytes`, 0, found);
        ran.truncations += 1;
      }
    }
    const signature = fromBase64(raw);
    flips.forEach((bit, index) => {
      signature[bit >> 3] ^= 1 << (bit & 7);
      const found = verify({ ...input, signature });
      if (code(found) !== Number(expected[index])) differs(`${algorithm}, bit ${bit}`, expected[index], found);
      signature[bit >> 3] ^= 1 << (bit & 7);
      ran.flips += 1;
    });
  }
  return { ran, wrong };
}

function code({ ok, classicalOk, pqOk }) {
  return ok !== (classicalOk && pqOk) ? -1 : 2 * Number(pqOk) + Number(classicalOk);
}
