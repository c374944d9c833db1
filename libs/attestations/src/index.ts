export { type Bundle, bundleType, openBundle, signStatement } from './bundle.ts';
export { type BuildAccount, buildType, provenanceOf } from './provenance.ts';
export { type Contents, cycloneDxOf, spdxOf } from './sbom.ts';
export { keyIdOf, newPrivateKey, readSigningKey, type SigningKey } from './signing-key.ts';
export { signatureAnnotation, simpleSignature, simpleSigningType } from './simple-signing.ts';
export { type AttestationKind, hexOf, predicateTypes, type Statement, statementOf, type Subject } from './statement.ts';
