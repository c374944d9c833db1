/**
 * What each kind of sealed value is bound to: a word, then columns of its row. A value is opened with the same binding
 * only, so that one that was copied to another row is of no use there. `admin reseal` makes the same text in SQL.
 */
export const sealedKinds = {
  accessKey: { word: 'access-key', columns: ['id'] },
  registryConnection: { word: 'registry-connection', columns: ['account_id', 'id'] },
  sourceConnection: { word: 'source-connection', columns: ['account_id', 'host'] },
  buildSecret: { word: 'build-secret', columns: ['account_id', 'name'] },
  registryAuths: { word: 'registry-auths', columns: ['id'] },
  signingKey: { word: 'signing-key', columns: ['id'] },
  webhook: { word: 'webhook', columns: ['id'] },
} as const;
export type SealedKind = keyof typeof sealedKinds;

type AsManyTexts<T extends readonly unknown[]> = { [I in keyof T]: string };

/** `access-key:KILN…`: what a value of this kind is sealed and opened with. */
export const bindingOf = <K extends SealedKind>(
  kind: K,
  ...values: AsManyTexts<(typeof sealedKinds)[K]['columns']>
): string => [sealedKinds[kind].word, ...values].join(':');
