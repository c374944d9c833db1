export { openLayerReader, type LayerReader } from './layer-reader.ts';
export { readLayer } from './read-layer.ts';
