// What every entry exports.
export {
  BundleVerifier,
  Hasher,
  VerifierError,
  describePublicKey,
  fromBase64,
  halves,
  hashStream,
  toBase64,
  verify,
  verifyBundle,
  verifyCheckpoint,
  verifyConsistency,
  verifyInclusion,
  verifyLineage,
  verifyReceipt,
  verifyStream,
} from "./verifier.js";
