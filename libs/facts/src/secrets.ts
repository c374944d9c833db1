/** The most bytes of a file that may be a key. */
export const secretBytesMax = 64 << 10;

const byName: [RegExp, string][] = [
  [/(?:^|\/)\.ssh\/(?:id_(?:rsa|dsa|ecdsa|ed25519)|identity)$/, 'SSH key'],
  [/(?:^|\/)[^/]+\.(?:pem|key|p8)$|(?:^|\/)id_(?:rsa|dsa|ecdsa|ed25519)$/, 'private key'],
  [/(?:^|\/)\.aws\/credentials$/, 'AWS credentials'],
  [/(?:^|\/)\.(?:git-credentials|netrc)$/, 'password of a server'],
  [/(?:^|\/)\.docker\/config\.json$/, 'registry credentials'],
  [/(?:^|\/)(?:\.npmrc|\.pypirc|\.yarnrc\.yml)$/, 'token of a package registry'],
  [/(?:^|\/)\.kube\/config$/, 'credentials of a cluster'],
  [/(?:^|\/)\.(?:obsutilconfig|ossutilconfig)$|(?:^|\/)\.config\/gcloud\/[^/]*credentials[^/]*$/, 'cloud credentials'],
];

const byWords: Record<string, RegExp> = {
  'SSH key': /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  'private key': /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  'AWS credentials': /aws_secret_access_key\s*=\s*\S/i,
  'password of a server': /:\/\/[^\s/:]+:[^\s/@]+@|\bpassword\s+\S/i,
  'registry credentials': /"(?:auth|identitytoken)"\s*:\s*"[^"]/,
  'token of a package registry':
    /_authToken\s*[=:]\s*[^\s$]|_auth\s*=\s*\S|password\s*[=:]\s*\S|npmAuthToken\s*:\s*\S/i,
  'credentials of a cluster': /(?:client-key-data|token|password):\s*\S/,
  'cloud credentials': /\S/,
};

/** What kind of key a file of this path may hold; test keys of software are no secrets. */
export const secretKind = (path: string): string | undefined =>
  /(?:^|\/)(?:tests?|testing|testdata|examples?|site-packages|dist-packages|node_modules|pkgs)\/|^(?:usr\/share|usr\/lib|etc\/ssl\/certs)\//.test(
    path,
  )
    ? undefined
    : byName.find(([it]) => it.test(path))?.[1];

/** Whether the words are those of a key of that kind. */
export const isSecret = (kind: string, text: string): boolean => byWords[kind]?.test(text) ?? false;
