/** What the first calls of an account are about. */
export interface FirstCalls {
  /** Of the api, without a slash at its end. */
  url: string;
  workspaceId: string;
  projectId: string;
  /** The registry connection that the image is pushed with. */
  connectionId: string;
  /** Image to build from, and to register. */
  base: string;
  /** Where the built image goes. */
  target: string;
}

/**
 * Commands to begin with, under their headings: a build, the lists, a registration. They can be pasted as they are, where
 * `KILN_TOKEN` holds a token.
 */
export function firstCalls(given: FirstCalls): { heading: string; commands: string[] }[] {
  const { url, workspaceId, projectId, connectionId, base, target } = given;
  const build = JSON.stringify({
    WorkspaceId: workspaceId,
    Resource: {},
    TargetRegistry: { Type: 'AcrEnterprise', InstanceId: connectionId },
    BuildConfig: { BuildType: 'CustomDockerfile', Dockerfile: `FROM ${base}\nRUN echo hello > /hello\n` },
    Image: { Name: 'my-image', Uri: target },
  });
  const registration = JSON.stringify({ swr_path: base, description: 'registered by hand' });
  const curl = `curl -sw '\\n'`;
  const bearer = `-H "Authorization: Bearer $KILN_TOKEN"`;
  const token = `-H "X-Auth-Token: $KILN_TOKEN"`;
  const json = `-H 'Content-Type: application/json'`;
  const images = `${url}/v1/${projectId}/images`;
  return [
    {
      heading: 'PAI: build an image, look at builds and at the catalogue',
      commands: [
        `${curl} ${bearer} ${json} '${url}/api/v1/imagebuilds' -d '${build}'`,
        `${curl} ${bearer} '${url}/api/v1/imagebuilds?Limit=5'`,
        `${curl} ${bearer} '${url}/api/v1/images?WorkspaceId=${workspaceId}&Verbose=true'`,
      ],
    },
    {
      heading: 'ModelArts: register an image that is in a registry already, and list',
      commands: [`${curl} ${token} ${json} '${images}' -d '${registration}'`, `${curl} ${token} '${images}?limit=10'`],
    },
  ];
}
