import { createHash } from 'node:crypto';
import type { ImagePackage } from '@kiln/domain';
import { packageUrl, type System } from './package-url.ts';
import { hexOf, type Subject } from './statement.ts';

/** What an SBOM tells of. */
export interface Contents {
  subject: Subject;
  system: (System & { name: string }) | undefined;
  packages: readonly ImagePackage[];
  /** Digest of each layer, and the instruction that made it. */
  layers: readonly { digest: string; instruction: string }[];
  /** When the image was read, in ISO 8601. */
  at: string;
}

const tool = { vendor: 'Kiln', name: 'kiln', version: '0.1.0' };

/** The same for the same contents. */
function uuidOf(subject: Subject, at: string): string {
  const hex = createHash('sha256').update(`${subject.name}@${subject.digest} ${at}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** SPDX 2.3, in JSON. */
export function spdxOf({ subject, system, packages, layers, at }: Contents) {
  const image = 'SPDXRef-image';
  const none = 'NOASSERTION';
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${subject.name}@${subject.digest}`,
    documentNamespace: `urn:uuid:${uuidOf(subject, at)}`,
    creationInfo: { created: at.replace(/\.\d+Z$/, 'Z'), creators: [`Tool: ${tool.name}-${tool.version}`] },
    packages: [
      {
        SPDXID: image,
        name: subject.name,
        versionInfo: subject.digest,
        downloadLocation: none,
        filesAnalyzed: false,
        licenseConcluded: none,
        licenseDeclared: none,
        copyrightText: none,
        primaryPackagePurpose: 'CONTAINER',
        checksums: [{ algorithm: 'SHA256', checksumValue: hexOf(subject.digest) }],
      },
      ...packages.map((it, n) => {
        const url = packageUrl(it, system);
        return {
          SPDXID: `SPDXRef-package-${n + 1}`,
          name: it.name,
          ...(it.version === '' ? {} : { versionInfo: it.version }),
          downloadLocation: none,
          filesAnalyzed: false,
          licenseConcluded: none,
          licenseDeclared: none,
          copyrightText: none,
          sourceInfo: `${it.type} package of layer ${layers[it.layer]?.digest ?? it.layer}`,
          ...(url === undefined
            ? {}
            : {
                externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: url }],
              }),
        };
      }),
    ],
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: image },
      ...packages.map((_, n) => ({
        spdxElementId: image,
        relationshipType: 'CONTAINS',
        relatedSpdxElement: `SPDXRef-package-${n + 1}`,
      })),
    ],
  };
}

/** CycloneDX 1.6, in JSON. */
export function cycloneDxOf({ subject, system, packages, layers, at }: Contents) {
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(subject, at)}`,
    version: 1,
    metadata: {
      timestamp: at,
      tools: { components: [{ type: 'application', name: tool.name, version: tool.version }] },
      component: {
        type: 'container',
        'bom-ref': 'image',
        name: subject.name,
        version: subject.digest,
        hashes: [{ alg: 'SHA-256', content: hexOf(subject.digest) }],
      },
    },
    components: [
      ...(system
        ? [
            {
              type: 'operating-system',
              'bom-ref': 'system',
              name: system.id,
              version: system.version,
              description: system.name,
            },
          ]
        : []),
      ...packages.map((it, n) => {
        const purl = packageUrl(it, system);
        return {
          type: 'library',
          'bom-ref': `package-${n + 1}`,
          name: it.name,
          ...(it.version === '' ? {} : { version: it.version }),
          ...(purl === undefined ? {} : { purl }),
          properties: [
            { name: 'kiln:type', value: it.type },
            { name: 'kiln:layer', value: layers[it.layer]?.digest ?? String(it.layer) },
          ],
        };
      }),
    ],
    dependencies: [{ ref: 'image', dependsOn: packages.map((_, n) => `package-${n + 1}`) }],
  };
}
