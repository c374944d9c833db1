/** Folders whose files are many, and of which none is asked for by its path. */
const crowded = /^(?:proc|sys|dev|usr\/(?:share|src|include|games)|var\/(?:lib\/dpkg\/info|cache|lib\/apt))\//;

/** Files that may be run, but of packages that bring thousands of them. */
const libraries = /(?:^|\/)(?:site-packages|dist-packages|node_modules|pkgs|\.git)\/|\.so(?:\.[\d.]+)?$/;

/** Folders of programs and libraries: what is there is kept by its name, not by where it is. */
const systems = /^(?:usr|var|etc|lib|lib32|lib64|libx32|boot|run)\//;

const named = [
  // NVIDIA's driver and libraries, NCCL, the C library, OFED.
  /(?:^|\/)(?:lib(?:cuda|nvidia-[\w-]+|cudart|cudnn|nccl|nvcuvid|ibverbs|c|c-2\.\d+)\.so(?:\.[\d.]+)?|libc-2\.\d+\.so|nvidia[\w-]*\.ko)$/,
  /(?:^|\/)ld-[\w.-]+\.so(?:\.\d+)?$/,
  /(?:^|\/)kernels\/[^/]+\/kernel\.json$/,
  /(?:^|\/)condabin\/conda$/,
];

/** How deep a path that is kept may be. */
const depthMax = 16;

/**
 * Whether a path may be asked for later; others are counted only.
 * @param mayRun it is a link or a script, or may be executed
 */
export function isOfInterest(path: string, mayRun: boolean): boolean {
  const depth = path.split('/').length;
  if (depth <= 2) return true;
  if (depth > depthMax) return false;
  if (mayRun && !libraries.test(path)) return true;
  if (/(?:^|\/)s?bin\/[^/]+$/.test(path)) return true;
  if (named.some((it) => it.test(path))) return true;
  if (crowded.test(`${path}/`)) return false;
  if (/^(?:usr\/local|opt)\//.test(path)) return depth <= 4 && !path.includes('/pkgs/');
  return systems.test(path)
    ? depth <= 3 && !/^(?:usr\/)?lib(?:32|64|x32)?\//.test(path)
    : depth <= 5 && !path.includes('/node_modules/');
}

/** Programs, and libraries that tell the architecture. */
export const isMaybeElf = (path: string): boolean => /(?:^|\/)s?bin\/[^/]+$|\.so(?:\.[\d.]+)?$/.test(path);

/** The most bytes of a text that is kept. */
export const textBytesMax = 64 << 10;

const texts =
  /^(?:(?:etc|usr\/lib)\/os-release|etc\/passwd|etc\/group|usr\/local\/cuda[^/]*\/version\.json)$|(?:^|\/)(?:torch\/version\.py|tensorflow\/python\/platform\/build_info\.py|ascend_(?:toolkit|nnae|nnrt)_install\.info|include\/python3\.\d+\/patchlevel\.h)$/;

/** Small files of which the words are needed. */
export const isText = (path: string): boolean => texts.test(path);
