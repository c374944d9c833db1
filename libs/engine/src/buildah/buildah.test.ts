import { engineContract } from '../testing/index.ts';
import { openBuildah } from './buildah.ts';

engineContract('buildah', (storeDir) => openBuildah({ storeDir }));
