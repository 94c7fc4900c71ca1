// Verification without the API: all of @postq/verifier.
export * from "@postq/verifier";
