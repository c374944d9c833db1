import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type RequestHandler, Router } from 'express';
import sirv from 'sirv';

const built = join(import.meta.dirname, '../../../console/dist');

/** The pages that the console has; every other path is the APIs'. */
const pages = ['/', '/builds', '/builds/*rest', '/images', '/images/*rest', '/queues', '/workers', '/settings'];

// Nothing comes from elsewhere, and nothing is sent there. Its components write styles into the page.
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** The console at `/`, as it was built: compressed beforehand, its assets named by what is in them. */
export function serveConsole(dir = built): Router {
  const router = Router();
  if (!existsSync(join(dir, 'index.html'))) return router;
  const assets = sirv(dir, { brotli: true, gzip: true, maxAge: 31_536_000, immutable: true });
  const page = sirv(dir, { brotli: true, gzip: true, etag: true });
  const sendPage: RequestHandler = (req, res, next) => {
    req.url = '/index.html';
    // Here, so that an answer that the page has not changed has them, too: the browser takes its headers for the
    // page's.
    res.set({ 'cache-control': 'no-cache', 'content-security-policy': policy });
    page(req, res, next);
  };
  router.get(pages, sendPage);
  router.get('/assets/*rest', (req, res, next) => assets(req, res, next));
  return router;
}
