import type { TestKiln } from '@kiln/stack/testing';

/** What the pages are to show: builds that really ran here. */
export interface Stage {
  failed: string;
  succeeded: string;
  imageId: string;
  campaignId: string;
}

const service = (base: string, last: string): string =>
  [
    `FROM ${base} AS assets`,
    'WORKDIR /assets',
    'RUN dd if=/dev/zero bs=1024 count=4000 | tr "\\0" x > model.bin',
    'RUN for n in 1 2 3; do echo "packing shard $n of 3"; sleep 1; done',
    '',
    `FROM ${base}`,
    'LABEL team=recommender',
    'COPY --from=assets /assets/model.bin /srv/model.bin',
    `RUN ${last}`,
    'ENV MODEL=/srv/model.bin',
    'CMD ["/bin/busybox", "httpd", "-f", "-h", "/srv"]',
    '',
  ].join('\n');

/**
 * Fills a Kiln with builds of every end, and leaves some waiting.
 * @param hook an address that takes events
 */
export async function setStage(kiln: TestKiln, hook: string): Promise<Stage> {
  for (const body of [
    { Url: hook, Description: 'Deploys what was built', Types: ['build.succeeded'] },
    { Url: 'http://127.0.0.1:9/alerts', Description: 'Tells the team on duty', Types: ['build.failed', 'image.error'] },
  ])
    await kiln.pai('POST', '/api/v1/webhooks', { body });
  const host = kiln.stack.registryHost;
  const build = async (name: string, dockerfile: string, tag = 'v1'): Promise<string> => {
    const image = {
      Name: tag === 'v1' ? name : `${name}-${tag}`,
      Uri: `${host}/ml/${name}:${tag}`,
      Description: 'Serves the ranking model',
      Labels: [
        { Key: 'system.chipType', Value: 'CPU' },
        { Key: 'system.supported.dlc', Value: 'true' },
        { Key: 'team', Value: 'recommender' },
      ],
    };
    return (await kiln.submit(kiln.buildRequest(dockerfile, { image }))).ImageBuildId;
  };
  const first = await build('ranking', service(kiln.base, 'sleep 1; echo "model 1 is ready"'));
  await kiln.ended(first);
  const succeeded = await build('ranking', service(kiln.base, 'sleep 2; echo "model 2 is ready"'), 'v2');
  const failed = await build(
    'tokenizer',
    `FROM ${kiln.base}\nWORKDIR /app\n# What the service needs\nRUN echo "installing requirements" && \\\n    pip install --no-cache-dir tokenizers==0.20\nCMD ["/app/serve"]\n`,
  );
  const missing = await build('embeddings', `FROM ${host}/ml/no-such-base:v9\nRUN true\n`);
  for (const it of [succeeded, failed, missing]) await kiln.ended(it);
  for (const name of ['features', 'gateway', 'evaluation'])
    await kiln.ended(await build(name, `FROM ${kiln.base}\nRUN echo ${name} > /name\n`));
  const { ImageId } = (await kiln.ended(succeeded)) as { ImageId: string };
  for (const name of ['speech-to-text', 'translation', 'summaries', 'search-index', 'moderation'])
    await build(name, `FROM ${kiln.base}\nRUN for n in $(seq 1 400); do echo "epoch $n"; sleep 1; done\n`);
  const { workspaceId } = kiln.account;
  const rule = { Repositories: ['ml/**'], KeepLast: 5, KeepTags: ['v*'], KeepDays: 30, KeepUsedDays: 60 };
  await kiln.pai('PUT', `/api/v1/workspaces/${workspaceId}/retention`, { body: { Rules: [rule] } });
  const campaign = await kiln.pai('POST', '/api/v1/campaigns', {
    body: { WorkspaceId: workspaceId, Title: 'Busybox 1.37', Repositories: ['ml/**'], CanaryPercent: 20 },
  });
  const { CampaignId } = campaign.body as { CampaignId: string };
  return { failed, succeeded, imageId: ImageId, campaignId: CampaignId };
}
