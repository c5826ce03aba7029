export { makeSigningKey, type SigningKey } from "./signingKey.ts"
export { type Claim, type Proof, signProof } from "./signProof.ts"
