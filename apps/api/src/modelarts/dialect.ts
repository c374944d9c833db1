import type { Directory } from '@kiln/usecases';
import { authenticateModelArts, type AuthenticateDeps } from '../callers/authenticate.ts';
import { Fault, wireError } from '@kiln/domain';
import { type Dialect, publicMessage, requestIdHeaders } from '../http/dialect.ts';

/** Which project a path is about; undefined for those of IAM, which are about none. */
const projectOf = (path: string): string | undefined => /^\/v1\/([^/]*)/.exec(path)?.[1];

// The gateway's words: clients look for its beginning.
const gatewayPrefix = 'Incorrect IAM authentication information: ';

/** How Huawei's ModelArts speaks. */
export const modelArtsDialect = (deps: AuthenticateDeps & { directory: Directory }): Dialect => ({
  requestIdHeader: requestIdHeaders.modelarts,
  async authenticate(request) {
    const viewer = await authenticateModelArts(deps, request);
    const named = request.headers['x-project-id'];
    const projectId = projectOf(request.path) ?? named;
    if (projectId === undefined) return viewer;
    if (named !== undefined && named !== projectId)
      throw new Fault('ProjectMismatch', `X-Project-Id is ${named}, but the URL names ${projectId}`);
    if (viewer.onlyProjectId !== null && viewer.onlyProjectId !== projectId)
      throw new Fault('ProjectMismatch', `project_id: the token is for project ${viewer.onlyProjectId}`);
    if (!(await deps.directory.hasProject(viewer.accountId, projectId))) {
      throw new Fault('ProjectMismatch', `project_id: the credentials are not for project ${projectId}`);
    }
    return viewer;
  },
  checkOperation: () => undefined,
  renderError(fault, requestId) {
    const { status, code } = wireError(fault.code, 'modelarts');
    const { canonicalRequest, retryAfterMs } = fault.details;
    const canonical =
      canonicalRequest === undefined ? '' : `, canonicalRequest: ${canonicalRequest.replaceAll('\n', '|')}`;
    const prefix = code === 'APIG.0301' ? gatewayPrefix : '';
    return {
      status,
      ...(retryAfterMs === undefined ? {} : { headers: { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) } }),
      body: { error_code: code, error_msg: prefix + publicMessage(fault) + canonical, request_id: requestId },
    };
  },
});
