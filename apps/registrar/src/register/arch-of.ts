/** ModelArts' word for what an image runs on, from the first of its platforms. */
export const archOf = (platforms: string[]): string => (platforms[0]?.includes('arm64') ? 'AARCH64' : 'X86_64');
