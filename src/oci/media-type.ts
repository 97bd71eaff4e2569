/** Media types of the OCI image-spec 1.1 and of Docker's image manifest version 2. */
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_CONFIG = "application/vnd.oci.image.config.v1+json";
export const OCI_EMPTY = "application/vnd.oci.empty.v1+json";
export const OCI_LAYER = "application/vnd.oci.image.layer.v1.tar";
export const DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json";
export const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
export const DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json";
export const DOCKER_SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws";
export const OCTET_STREAM = "application/octet-stream";

const indexes: ReadonlySet<string> = new Set([OCI_INDEX, DOCKER_INDEX]);
const images: ReadonlySet<string> = new Set([OCI_MANIFEST, DOCKER_MANIFEST]);
const schema1: ReadonlySet<string> = new Set([DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED]);

/** An index or a manifest list. */
export function isIndex(mediaType: string): boolean {
  return indexes.has(mediaType);
}

/** An image manifest that names a config and layers. */
export function isImageManifest(mediaType: string): boolean {
  return images.has(mediaType);
}

/** Anything a registry keeps in its manifest space, schema1 too (ContentKind). */
export function isManifest(mediaType: string): boolean {
  return indexes.has(mediaType) || images.has(mediaType) || schema1.has(mediaType);
}

/** RFC 6838 §4.2, restricted-name: at most 127 bytes each side of the slash, 255 in all. */
const nameGrammar = "[A-Za-z0-9][\\w!#$&^.+-]{0,126}";
const mediaTypeGrammar = new RegExp(`^${nameGrammar}/${nameGrammar}$`);

/** Whether a type has the grammar of RFC 6838 §4.2: `type/subtype`, no parameters. */
export function isMediaType(text: string): boolean {
  return mediaTypeGrammar.test(text);
}
