/** What somebody says of an image: in-toto's statement, version 1. */
export interface Statement {
  _type: 'https://in-toto.io/Statement/v1';
  subject: { name: string; digest: { sha256: string } }[];
  predicateType: string;
  predicate: unknown;
}

/** The image that something is said of. */
export interface Subject {
  /** `host/repository` */
  name: string;
  /** `sha256:…` of its manifest. */
  digest: string;
}

export const hexOf = (digest: string): string => digest.replace(/^sha256:/, '');

export const statementOf = ({ name, digest }: Subject, predicateType: string, predicate: unknown): Statement => ({
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name, digest: { sha256: hexOf(digest) } }],
  predicateType,
  predicate,
});

/** What Kiln says of images, by in-toto's name of each. */
export const predicateTypes = {
  provenance: 'https://slsa.dev/provenance/v1',
  spdx: 'https://spdx.dev/Document',
  cyclonedx: 'https://cyclonedx.org/bom',
  /** That the installation stands for the image: what `cosign sign` says since its version 3. */
  signature: 'https://sigstore.dev/cosign/sign/v1',
} as const;
export type AttestationKind = keyof typeof predicateTypes;
