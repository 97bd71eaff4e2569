/** The SDK: Resolve, Fetch and Push of OCI content through a descry server, in Node and in browsers. */
export { createDescry, type Descry } from "./descry.ts";
export type {
  CallOptions,
  ClientOptions,
  DescryOptions,
  FreshnessOptions,
  RegistryAuth,
  RegistryCredentials,
  Resume,
  TransferOptions,
  TransferProgress,
} from "./options.ts";
export type { ContentOptions } from "./content-request.ts";
export type { CopyOptions } from "./copy.ts";
export type { DeleteOptions } from "./delete.ts";
export type { FetchOptions } from "./fetch.ts";
export type { FetchStreamOptions } from "./fetch-stream.ts";
export type { PreparePushOptions } from "./prepare-push.ts";
export type { PushOptions } from "./push-options.ts";
export type { ListReferrersOptions } from "./referrers.ts";
export type { ResolveOptions } from "./resolve.ts";
export type { ListTagsOptions, PageOptions, SetTagOptions } from "./tags.ts";
export type { ContentName, PushSource, ReopenableSource } from "./source.ts";
export type {
  CopyProgress,
  Deletion,
  Fetched,
  FetchedStream,
  Freshness,
  Prepared,
  PushState,
  Receipt,
  ReferrerPage,
  Resolution,
  Tag,
  TagCondition,
  TagPage,
} from "./results.ts";

export { type ContentKind, type Descriptor, descriptorFromJson, descriptorToJson } from "../oci/descriptor.ts";
export { type Algorithm, type Digest, parseDigest } from "../oci/digest.ts";
export { type Code, DescryError, type FieldViolation, type Reason } from "../oci/errors.ts";
export { type Manifest, parseManifest } from "../oci/manifest.ts";
export type { Platform } from "../oci/platform.ts";
export {
  formatReference,
  parseReference,
  parseRepository,
  pinnedReference,
  type Reference,
  repositoryOf,
} from "../oci/reference.ts";
export { digestOf, verifyBytes } from "../oci/verifier.ts";

/** The service itself, for clients of your own. */
export { ContentService } from "../gen/descry/v1/content_service_pb.ts";
