// The six algorithms: sizes in bytes (FIPS 204 §4, table 2; RFC 8032 §5.1; SEC 1 §2.3.3), and their standard.

import type { Algorithm } from "@postq/sdk";

export interface Facts {
  mlDsa: string;
  classical: string;
  /** The ML-DSA half of a signature; the classical one after it has 64. */
  pqBytes: number;
  /** NIST's category of strength. */
  level: 2 | 3 | 5;
  /** Its object identifier in draft-ietf-lamps-pq-composite-sigs; none where the label is the vault's own. */
  oid: string | undefined;
}

export const ALGORITHMS: Record<Algorithm, Facts> = {
  "mldsa65+ed25519": { mlDsa: "ML-DSA-65", classical: "Ed25519", pqBytes: 3309, level: 3, oid: "1.3.6.1.5.5.7.6.48" },
  "mldsa65+ecdsa-p256": { mlDsa: "ML-DSA-65", classical: "ECDSA P-256", pqBytes: 3309, level: 3, oid: "1.3.6.1.5.5.7.6.45" },
  "mldsa44+ed25519": { mlDsa: "ML-DSA-44", classical: "Ed25519", pqBytes: 2420, level: 2, oid: "1.3.6.1.5.5.7.6.39" },
  "mldsa44+ecdsa-p256": { mlDsa: "ML-DSA-44", classical: "ECDSA P-256", pqBytes: 2420, level: 2, oid: "1.3.6.1.5.5.7.6.40" },
  "mldsa87+ed25519": { mlDsa: "ML-DSA-87", classical: "Ed25519", pqBytes: 4627, level: 5, oid: undefined },
  "mldsa87+ecdsa-p256": { mlDsa: "ML-DSA-87", classical: "ECDSA P-256", pqBytes: 4627, level: 5, oid: undefined },
};

export const NAMES = Object.keys(ALGORITHMS) as Algorithm[];

/** The classical half of every algorithm's signature, in bytes. */
export const CLASSICAL_BYTES = 64;
