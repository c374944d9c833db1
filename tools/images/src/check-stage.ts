/**
 * A stage after the builder's, which is made from the other image, so that building it builds all. Each app loads with
 * production packages alone, and then says which settings it lacks. Users can be made: useradd gives up where a socket
 * of the audit log is refused in a way that it does not know.
 */
export const checkStage = `
FROM builder AS check
RUN for it in api builder registrar admin; do node apps/$it/dist/main.js 2>&1 | grep -m1 -F 'settings are missing' > /dev/null || { node apps/$it/dist/main.js; exit 1; }; done
RUN useradd -m trainer && echo trainer:secret | chpasswd && su trainer -c 'test "$(id -un)" = trainer'
RUN test -x /opt/kiln/engine/usr/sbin/dockerd && runc --version
RUN test ! -e node_modules/typescript && test ! -e node_modules/jest && test ! -e libs/domain/src
USER 10001:10001
RUN node apps/api/dist/main.js 2>&1 | grep -F KILN_DATABASE_URL
`;
