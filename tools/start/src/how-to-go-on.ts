import { type LocalStack } from './local-stack.ts';
import { bold, dim, say } from './progress.ts';

/** Prints commands that can be pasted as they are. */
export function sayHowToGoOn({ url, account, base, registryHost }: LocalStack): void {
  const body = JSON.stringify({
    WorkspaceId: account.workspaceId,
    Resource: {},
    TargetRegistry: { Type: 'AcrEnterprise', InstanceId: account.connectionId },
    BuildConfig: { BuildType: 'CustomDockerfile', Dockerfile: `FROM ${base}\nRUN echo hello > /hello\n` },
    Image: { Name: 'my-image', Uri: `${registryHost}/demo/mine:v1` },
  });
  const registration = JSON.stringify({ swr_path: base, description: 'registered by hand' });
  const bearer = `-H "Authorization: Bearer $KILN_TOKEN"`;
  const images = `${url}/v1/${account.projectId}/images`;
  const lines = [
    dim('# the console: open it, and sign in with this token'),
    url,
    `export KILN_TOKEN=${account.token}`,
    '',
    dim('# PAI: build an image, look at builds and at the catalogue'),
    `curl -sw '\\n' ${bearer} -H 'Content-Type: application/json' '${url}/api/v1/imagebuilds' -d '${body}'`,
    `curl -sw '\\n' ${bearer} '${url}/api/v1/imagebuilds?Limit=5'`,
    `curl -sw '\\n' ${bearer} '${url}/api/v1/images?WorkspaceId=${account.workspaceId}&Verbose=true'`,
    '',
    dim('# ModelArts: register an image that is in a registry already, and list'),
    `curl -sw '\\n' -H "X-Auth-Token: $KILN_TOKEN" -H 'Content-Type: application/json' '${images}' -d '${registration}'`,
    `curl -sw '\\n' -H "X-Auth-Token: $KILN_TOKEN" '${images}?limit=10'`,
    '',
    dim('# access key for the clouds’ own clients'),
    `export KILN_ACCESS_KEY_ID=${account.accessKeyId} KILN_ACCESS_KEY_SECRET=${account.accessKeySecret}`,
    '',
    dim('# every call, to read and to try'),
    `${url}/docs`,
    '',
    dim('# users, keys, registries'),
    'npm run admin -- --help',
  ];
  say(`\n${bold('Try it')}\n`);
  for (const it of lines) say(it);
}
