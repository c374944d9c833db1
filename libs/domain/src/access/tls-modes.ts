/** How a registry or a source is connected to: by TLS, by TLS that is not checked, or without. */
export const tlsModes = ['verify', 'skip-verify', 'http'] as const;
export type TlsMode = (typeof tlsModes)[number];
