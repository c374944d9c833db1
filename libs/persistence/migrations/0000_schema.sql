CREATE SEQUENCE "public"."fences" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE TABLE "attestations" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"workspace_id" text NOT NULL,
	"host" text NOT NULL,
	"repository" text NOT NULL,
	"digest" text NOT NULL,
	"arch" text NOT NULL,
	"registry_connection_id" text,
	"build_id" text NOT NULL,
	"state" text DEFAULT 'waiting' NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"not_before" timestamp (3) with time zone DEFAULT date_trunc('milliseconds', now()) NOT NULL,
	"documents" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"error" jsonb,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"written_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "signing_keys" (
	"id" text NOT NULL,
	"account_id" text,
	"public_key" text NOT NULL,
	"private_sealed" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"retired_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "audit_log" (
	"id" bigint PRIMARY KEY NOT NULL,
	"at" timestamp(6) with time zone NOT NULL,
	"account_id" text,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"target" text NOT NULL,
	"outcome" text NOT NULL,
	"details" jsonb NOT NULL,
	"previous_hash" text NOT NULL,
	"hash" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "build_attempts" (
	"build_id" text NOT NULL,
	"attempt" integer NOT NULL,
	"fence" bigint NOT NULL,
	"worker" text NOT NULL,
	"started_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"outcome" text,
	"bases" jsonb,
	"placement" jsonb,
	CONSTRAINT "build_attempts_build_id_attempt_pk" PRIMARY KEY("build_id","attempt"),
	CONSTRAINT "build_attempts_fence_unique" UNIQUE("fence")
);
--> statement-breakpoint
CREATE TABLE "build_events" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "build_events_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"build_id" text NOT NULL,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"state" text NOT NULL,
	"attempt" integer NOT NULL,
	"message" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "build_log_chunks" (
	"build_id" text NOT NULL,
	"attempt" integer NOT NULL,
	"seq" integer NOT NULL,
	"first_line" integer NOT NULL,
	"line_times" bigint[] NOT NULL,
	"line_steps" integer[] NOT NULL,
	"text" text NOT NULL,
	CONSTRAINT "build_log_chunks_build_id_attempt_seq_pk" PRIMARY KEY("build_id","attempt","seq")
);
--> statement-breakpoint
CREATE TABLE "build_phases" (
	"build_id" text NOT NULL,
	"attempt" integer NOT NULL,
	"phase" text NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone NOT NULL,
	"result" text NOT NULL,
	"bytes" bigint,
	CONSTRAINT "build_phases_build_id_attempt_phase_pk" PRIMARY KEY("build_id","attempt","phase")
);
--> statement-breakpoint
CREATE TABLE "build_steps" (
	"build_id" text NOT NULL,
	"attempt" integer NOT NULL,
	"number" integer NOT NULL,
	"stage" integer NOT NULL,
	"instruction" text NOT NULL,
	"first_line" integer NOT NULL,
	"last_line" integer NOT NULL,
	"log_line" integer NOT NULL,
	"log_end" integer,
	"started_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"result" text,
	"exit_code" integer,
	CONSTRAINT "build_steps_build_id_attempt_number_pk" PRIMARY KEY("build_id","attempt","number")
);
--> statement-breakpoint
CREATE TABLE "builds" (
	"id" text PRIMARY KEY NOT NULL,
	"job_id" text NOT NULL,
	"account_id" text NOT NULL,
	"project_id" text NOT NULL,
	"workspace_id" text NOT NULL,
	"user_id" text NOT NULL,
	"client_token" text,
	"request_hash" text NOT NULL,
	"request" jsonb NOT NULL,
	"registry_auths_sealed" text,
	"display_name" text NOT NULL,
	"image_name" text NOT NULL,
	"registry_connection_id" text NOT NULL,
	"host" text NOT NULL,
	"repository" text NOT NULL,
	"tag" text NOT NULL,
	"overwrite" boolean NOT NULL,
	"accessibility" text NOT NULL,
	"state" text NOT NULL,
	"phase" text NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"fence" bigint DEFAULT 0 NOT NULL,
	"worker" text,
	"lease_until" timestamp (3) with time zone,
	"not_before" timestamp (3) with time zone DEFAULT date_trunc('milliseconds', now()) NOT NULL,
	"lane" text DEFAULT 'normal' NOT NULL,
	"pool" text DEFAULT '' NOT NULL,
	"notes" text[] DEFAULT '{}' NOT NULL,
	"cache_key" text DEFAULT '' NOT NULL,
	"admitted_at" timestamp (3) with time zone,
	"held_at" timestamp (3) with time zone,
	"placement" jsonb,
	"missed_by" text[] DEFAULT '{}' NOT NULL,
	"announced_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"cancel_requested_at" timestamp (3) with time zone,
	"failures" integer DEFAULT 0 NOT NULL,
	"phase_started_at" timestamp (3) with time zone,
	"output_at" timestamp (3) with time zone,
	"quarantined_at" timestamp (3) with time zone,
	"trace" text,
	"parent_id" text,
	"lineage" text,
	"digest" text,
	"size_bytes" bigint,
	"image_id" uuid,
	"error" jsonb,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"job_deleted_at" timestamp (3) with time zone,
	CONSTRAINT "builds_job_id_unique" UNIQUE("job_id")
);
--> statement-breakpoint
CREATE TABLE "outbox" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "outbox_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"topic" text NOT NULL,
	"key" text NOT NULL,
	"payload" jsonb NOT NULL,
	"trace" text,
	"not_before" timestamp (3) with time zone DEFAULT date_trunc('milliseconds', now()) NOT NULL
);
--> statement-breakpoint
CREATE TABLE "campaign_images" (
	"campaign_id" text NOT NULL,
	"account_id" text NOT NULL,
	"place" integer NOT NULL,
	"image_id" uuid NOT NULL,
	"source_build_id" text NOT NULL,
	"reference" text NOT NULL,
	"bases" text[] NOT NULL,
	"outcome" text DEFAULT 'waiting' NOT NULL,
	"build_id" text,
	"message" text DEFAULT '' NOT NULL,
	"tries" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "campaign_images_campaign_id_place_pk" PRIMARY KEY("campaign_id","place")
);
--> statement-breakpoint
CREATE TABLE "campaigns" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"workspace_id" text NOT NULL,
	"user_id" text NOT NULL,
	"started_by" text,
	"title" text NOT NULL,
	"state" text DEFAULT 'planned' NOT NULL,
	"reason" text DEFAULT '' NOT NULL,
	"rate_per_hour" integer NOT NULL,
	"canary_percent" integer NOT NULL,
	"stop_percent" integer NOT NULL,
	"accepted" integer DEFAULT 0 NOT NULL,
	"submit_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"due_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"ended_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "contexts" (
	"account_id" text NOT NULL,
	"id" text NOT NULL,
	"files" integer NOT NULL,
	"bytes" bigint NOT NULL,
	"archive" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "contexts_account_id_id_pk" PRIMARY KEY("account_id","id")
);
--> statement-breakpoint
CREATE TABLE "source_connections" (
	"account_id" text NOT NULL,
	"host" text NOT NULL,
	"tls_mode" text NOT NULL,
	"ca_pem" text,
	"username" text,
	"password_sealed" text,
	"key_sealed" text,
	"known_hosts" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "source_connections_account_id_host_pk" PRIMARY KEY("account_id","host")
);
--> statement-breakpoint
CREATE TABLE "event_marks" (
	"name" text PRIMARY KEY NOT NULL,
	"xact" "xid8" NOT NULL,
	"id" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "events" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "events_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"xact" "xid8" DEFAULT pg_current_xact_id() NOT NULL,
	"key" uuid DEFAULT gen_random_uuid() NOT NULL,
	"account_id" text NOT NULL,
	"workspace_id" text NOT NULL,
	"user_id" text NOT NULL,
	"visibility" text NOT NULL,
	"type" text NOT NULL,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"data" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "webhook_deliveries" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "webhook_deliveries_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"webhook_id" text NOT NULL,
	"account_id" text NOT NULL,
	"event_id" bigint NOT NULL,
	"state" text DEFAULT 'waiting' NOT NULL,
	"tries" integer DEFAULT 0 NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL,
	"next_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"log" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "webhooks" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"url" text NOT NULL,
	"description" text NOT NULL,
	"types" text[] NOT NULL,
	"workspace_id" text,
	"enabled" boolean DEFAULT true NOT NULL,
	"stopped_because" text DEFAULT '' NOT NULL,
	"secret_sealed" text NOT NULL,
	"old_secret_sealed" text,
	"old_secret_until" timestamp (3) with time zone,
	"failing_since" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "access_keys" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"user_id" text NOT NULL,
	"secret_sealed" text NOT NULL,
	"security_token_hash" text,
	"scopes" text[],
	"last_used_at" timestamp with time zone,
	"expires_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"revoked_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "accounts" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"operates" boolean DEFAULT false NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "accounts_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "build_secrets" (
	"account_id" text NOT NULL,
	"name" text NOT NULL,
	"sealed" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "build_secrets_account_id_name_pk" PRIMARY KEY("account_id","name")
);
--> statement-breakpoint
CREATE TABLE "projects" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"revoked_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "registry_connections" (
	"account_id" text NOT NULL,
	"id" text NOT NULL,
	"host" text NOT NULL,
	"tls_mode" text NOT NULL,
	"ca_pem" text,
	"username" text,
	"password_sealed" text,
	"compression" text DEFAULT 'gzip' NOT NULL,
	"compression_level" integer,
	"takes_zstd" boolean,
	"cache_repository" text,
	"takes_cache" boolean,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "registry_connections_account_id_id_pk" PRIMARY KEY("account_id","id")
);
--> statement-breakpoint
CREATE TABLE "request_nonces" (
	"access_key_id" text NOT NULL,
	"nonce" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	CONSTRAINT "request_nonces_access_key_id_nonce_pk" PRIMARY KEY("access_key_id","nonce")
);
--> statement-breakpoint
CREATE TABLE "tokens" (
	"id" uuid PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"user_id" text NOT NULL,
	"hash" text NOT NULL,
	"access_key_id" text,
	"project_id" text,
	"scopes" text[],
	"session_of" uuid,
	"last_used_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "tokens_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"name" text NOT NULL,
	"role" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"revoked_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "workspace_members" (
	"workspace_id" text NOT NULL,
	"user_id" text NOT NULL,
	CONSTRAINT "workspace_members_workspace_id_user_id_pk" PRIMARY KEY("workspace_id","user_id")
);
--> statement-breakpoint
CREATE TABLE "workspaces" (
	"id" text PRIMARY KEY NOT NULL,
	"modelarts_id" text NOT NULL,
	"account_id" text NOT NULL,
	"project_id" text NOT NULL,
	"name" text NOT NULL,
	"is_default" boolean NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "workspaces_modelarts_id_unique" UNIQUE("modelarts_id")
);
--> statement-breakpoint
CREATE TABLE "image_groups" (
	"id" uuid PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"workspace_id" text NOT NULL,
	"host" text NOT NULL,
	"repository" text NOT NULL,
	"read_me" text DEFAULT '' NOT NULL,
	"tags" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "image_labels" (
	"image_id" uuid NOT NULL,
	"key" text NOT NULL,
	"value" text NOT NULL,
	CONSTRAINT "image_labels_image_id_key_pk" PRIMARY KEY("image_id","key")
);
--> statement-breakpoint
CREATE TABLE "images" (
	"id" uuid PRIMARY KEY NOT NULL,
	"pai_id" text NOT NULL,
	"account_id" text NOT NULL,
	"project_id" text NOT NULL,
	"workspace_id" text NOT NULL,
	"user_id" text NOT NULL,
	"name" text NOT NULL,
	"host" text NOT NULL,
	"repository" text NOT NULL,
	"tag" text NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"visibility" text NOT NULL,
	"public_by_id" boolean DEFAULT false NOT NULL,
	"hidden" boolean DEFAULT false NOT NULL,
	"arch" text NOT NULL,
	"origin" text DEFAULT 'CUSTOMIZE' NOT NULL,
	"resource_categories" text[] NOT NULL,
	"service_type" text DEFAULT 'UNKNOWN' NOT NULL,
	"services" text[] NOT NULL,
	"flavor_type" text,
	"source_type" text,
	"source_id" text,
	"status" text NOT NULL,
	"status_message" text DEFAULT '' NOT NULL,
	"error" jsonb,
	"digest" text,
	"media_type" text,
	"platforms" text[],
	"size_bytes" bigint,
	"history" jsonb,
	"build_id" text,
	"via" text NOT NULL,
	"registry_connection_id" text,
	"group_id" uuid,
	"inspection_id" text GENERATED ALWAYS AS ('insp-' || md5(account_id || ' ' || host || ' ' || repository || ' ' || digest || ' ' || arch)) STORED,
	"checked" jsonb,
	"policy_due" boolean DEFAULT false NOT NULL,
	"drift" jsonb,
	"stale" boolean DEFAULT false NOT NULL,
	"pinned" boolean DEFAULT false NOT NULL,
	"used_at" timestamp (3) with time zone,
	"retiring" jsonb,
	"retire_at" timestamp (3) with time zone,
	"pending" boolean DEFAULT false NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"fence" bigint DEFAULT 0 NOT NULL,
	"worker" text,
	"lease_until" timestamp (3) with time zone,
	"not_before" timestamp (3) with time zone DEFAULT date_trunc('milliseconds', now()) NOT NULL,
	"announced_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "images_pai_id_unique" UNIQUE("pai_id"),
	CONSTRAINT "images_build_id_unique" UNIQUE("build_id")
);
--> statement-breakpoint
CREATE TABLE "tag_moves" (
	"host" text NOT NULL,
	"repository" text NOT NULL,
	"tag" text NOT NULL,
	"seq" bigint NOT NULL,
	"digest" text NOT NULL,
	"build_id" text NOT NULL,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "tag_moves_host_repository_tag_seq_pk" PRIMARY KEY("host","repository","tag","seq"),
	CONSTRAINT "tag_moves_build_id_unique" UNIQUE("build_id")
);
--> statement-breakpoint
CREATE TABLE "tallies" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "tallies_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"list" text NOT NULL,
	"account_id" text NOT NULL,
	"workspace_id" text NOT NULL,
	"user_id" text NOT NULL,
	"visibility" text NOT NULL,
	"status" text NOT NULL,
	"service_type" text,
	"day" date,
	"n" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "image_packages" (
	"inspection_id" text NOT NULL,
	"account_id" text NOT NULL,
	"type" text NOT NULL,
	"name" text NOT NULL,
	"version" text NOT NULL,
	"name_key" text NOT NULL,
	"version_key" integer[] NOT NULL,
	"layer" integer NOT NULL,
	CONSTRAINT "image_packages_inspection_id_type_name_version_pk" PRIMARY KEY("inspection_id","type","name","version")
);
--> statement-breakpoint
CREATE TABLE "inspections" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"host" text NOT NULL,
	"repository" text NOT NULL,
	"reference" text NOT NULL,
	"registry_connection_id" text,
	"catalogued" boolean NOT NULL,
	"arch" text,
	"build_id" text,
	"state" text DEFAULT 'waiting' NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"not_before" timestamp (3) with time zone DEFAULT date_trunc('milliseconds', now()) NOT NULL,
	"digest" text,
	"platform" text,
	"facts" jsonb,
	"labels" jsonb,
	"results" jsonb,
	"error" jsonb,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"read_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "layer_facts" (
	"account_id" text NOT NULL,
	"digest" text NOT NULL,
	"reader" integer NOT NULL,
	"facts" jsonb NOT NULL,
	"used_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "layer_facts_account_id_digest_pk" PRIMARY KEY("account_id","digest")
);
--> statement-breakpoint
CREATE TABLE "workspace_policies" (
	"workspace_id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"mode" text NOT NULL,
	"profiles" text[] NOT NULL,
	"wait_seconds" integer NOT NULL,
	"attest" text NOT NULL,
	"cosign_tags" boolean NOT NULL,
	"error_on_drift" text NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "retention_plans" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"workspace_id" text NOT NULL,
	"user_id" text NOT NULL,
	"images" jsonb NOT NULL,
	"bytes" bigint NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"run_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "retention_rules" (
	"workspace_id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"rules" jsonb NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "registry_budgets" (
	"host" text PRIMARY KEY NOT NULL,
	"next_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "watched_tags" (
	"account_id" text NOT NULL,
	"reference" text NOT NULL,
	"host" text NOT NULL,
	"registry_connection_id" text,
	"digest" text,
	"members" text[] DEFAULT '{}' NOT NULL,
	"asked_at" timestamp (3) with time zone,
	"due_at" timestamp (3) with time zone,
	"failure" text DEFAULT '' NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "watched_tags_account_id_reference_pk" PRIMARY KEY("account_id","reference")
);
--> statement-breakpoint
CREATE TABLE "account_shares" (
	"account_id" text PRIMARY KEY NOT NULL,
	"weight" double precision DEFAULT 1 NOT NULL,
	"running_max" integer,
	"waiting_max" integer,
	"daily_max" integer,
	"images_max" integer
);
--> statement-breakpoint
CREATE TABLE "account_turns" (
	"account_id" text NOT NULL,
	"pool" text NOT NULL,
	"finish_tag" double precision NOT NULL,
	"warm_seconds" double precision,
	"cold_seconds" double precision,
	CONSTRAINT "account_turns_account_id_pool_pk" PRIMARY KEY("account_id","pool")
);
--> statement-breakpoint
CREATE TABLE "pool_turns" (
	"pool" text PRIMARY KEY NOT NULL,
	"virtual_time" double precision NOT NULL
);
--> statement-breakpoint
CREATE TABLE "slot_samples" (
	"at" timestamp (3) with time zone NOT NULL,
	"pool" text NOT NULL,
	"slots" integer NOT NULL,
	"busy" integer NOT NULL,
	CONSTRAINT "slot_samples_at_pool_pk" PRIMARY KEY("at","pool")
);
--> statement-breakpoint
CREATE TABLE "worker_caches" (
	"account_id" text NOT NULL,
	"worker" text NOT NULL,
	"cache_key" text NOT NULL,
	CONSTRAINT "worker_caches_account_id_cache_key_worker_pk" PRIMARY KEY("account_id","cache_key","worker")
);
--> statement-breakpoint
CREATE TABLE "workers" (
	"number" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "workers_number_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"name" text NOT NULL,
	"app" text NOT NULL,
	"slots" integer NOT NULL,
	"pool" text DEFAULT '' NOT NULL,
	"draining" boolean DEFAULT false NOT NULL,
	"cordoned" boolean DEFAULT false NOT NULL,
	"forget" text[] DEFAULT '{}' NOT NULL,
	"about" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"started_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"seen_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "workers_name_unique" UNIQUE("name")
);
--> statement-breakpoint
ALTER TABLE "attestations" ADD CONSTRAINT "attestations_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "build_attempts" ADD CONSTRAINT "build_attempts_build_id_builds_id_fk" FOREIGN KEY ("build_id") REFERENCES "public"."builds"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "build_events" ADD CONSTRAINT "build_events_build_id_builds_id_fk" FOREIGN KEY ("build_id") REFERENCES "public"."builds"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "build_log_chunks" ADD CONSTRAINT "build_log_chunks_build_id_builds_id_fk" FOREIGN KEY ("build_id") REFERENCES "public"."builds"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "build_phases" ADD CONSTRAINT "build_phases_build_id_builds_id_fk" FOREIGN KEY ("build_id") REFERENCES "public"."builds"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "build_steps" ADD CONSTRAINT "build_steps_build_id_builds_id_fk" FOREIGN KEY ("build_id") REFERENCES "public"."builds"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "campaign_images" ADD CONSTRAINT "campaign_images_campaign_id_campaigns_id_fk" FOREIGN KEY ("campaign_id") REFERENCES "public"."campaigns"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "contexts" ADD CONSTRAINT "contexts_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "source_connections" ADD CONSTRAINT "source_connections_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhook_deliveries" ADD CONSTRAINT "webhook_deliveries_webhook_id_webhooks_id_fk" FOREIGN KEY ("webhook_id") REFERENCES "public"."webhooks"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhook_deliveries" ADD CONSTRAINT "webhook_deliveries_event_id_events_id_fk" FOREIGN KEY ("event_id") REFERENCES "public"."events"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhooks" ADD CONSTRAINT "webhooks_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "access_keys" ADD CONSTRAINT "access_keys_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "access_keys" ADD CONSTRAINT "access_keys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "build_secrets" ADD CONSTRAINT "build_secrets_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "projects" ADD CONSTRAINT "projects_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "registry_connections" ADD CONSTRAINT "registry_connections_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tokens" ADD CONSTRAINT "tokens_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tokens" ADD CONSTRAINT "tokens_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "workspace_members" ADD CONSTRAINT "workspace_members_workspace_id_workspaces_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspaces"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "workspace_members" ADD CONSTRAINT "workspace_members_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "workspaces" ADD CONSTRAINT "workspaces_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "workspaces" ADD CONSTRAINT "workspaces_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "image_labels" ADD CONSTRAINT "image_labels_image_id_images_id_fk" FOREIGN KEY ("image_id") REFERENCES "public"."images"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "image_packages" ADD CONSTRAINT "image_packages_inspection_id_inspections_id_fk" FOREIGN KEY ("inspection_id") REFERENCES "public"."inspections"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "inspections" ADD CONSTRAINT "inspections_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "workspace_policies" ADD CONSTRAINT "workspace_policies_workspace_id_workspaces_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspaces"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "retention_rules" ADD CONSTRAINT "retention_rules_workspace_id_workspaces_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspaces"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "watched_tags" ADD CONSTRAINT "watched_tags_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "attestations_image" ON "attestations" USING btree ("account_id","host","repository","digest");--> statement-breakpoint
CREATE INDEX "attestations_due" ON "attestations" USING btree ("not_before") WHERE "attestations"."state" IN ('waiting', 'writing');--> statement-breakpoint
CREATE UNIQUE INDEX "signing_keys_owner" ON "signing_keys" USING btree (coalesce("account_id", ''),"id");--> statement-breakpoint
CREATE INDEX "audit_log_account" ON "audit_log" USING btree ("account_id","id");--> statement-breakpoint
CREATE INDEX "build_attempts_bases" ON "build_attempts" USING gin ("bases" jsonb_path_ops);--> statement-breakpoint
CREATE INDEX "build_events_build" ON "build_events" USING btree ("build_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "builds_client_token" ON "builds" USING btree ("account_id","client_token");--> statement-breakpoint
CREATE UNIQUE INDEX "builds_live_name" ON "builds" USING btree ("workspace_id","image_name") WHERE "builds"."state" IN ('queued', 'assigned', 'running', 'publishing', 'registering', 'cancelling');--> statement-breakpoint
CREATE INDEX "builds_live" ON "builds" USING btree ("state","lease_until") WHERE "builds"."state" IN ('queued', 'assigned', 'running', 'publishing', 'registering', 'cancelling');--> statement-breakpoint
CREATE INDEX "builds_waiting" ON "builds" USING btree ("account_id","pool","lane","created_at","id") WHERE "builds"."state" = 'queued' AND "builds"."admitted_at" IS NULL;--> statement-breakpoint
CREATE INDEX "builds_admitted" ON "builds" USING btree ("announced_at") WHERE "builds"."state" = 'queued' AND "builds"."admitted_at" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "builds_queued_since" ON "builds" USING btree ("created_at") WHERE "builds"."state" = 'queued';--> statement-breakpoint
CREATE INDEX "builds_target" ON "builds" USING btree ("workspace_id","host","repository","created_at");--> statement-breakpoint
CREATE INDEX "builds_parent" ON "builds" USING btree ("parent_id") WHERE "builds"."parent_id" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "builds_finished" ON "builds" USING btree ("finished_at") WHERE "builds"."finished_at" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "builds_account_finished" ON "builds" USING btree ("account_id","finished_at") WHERE "builds"."finished_at" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "builds_quarantined" ON "builds" USING btree ("quarantined_at") WHERE "builds"."quarantined_at" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "outbox_due" ON "outbox" USING btree ("not_before","id");--> statement-breakpoint
CREATE INDEX "campaign_images_building" ON "campaign_images" USING btree ("account_id") WHERE "campaign_images"."outcome" = 'building';--> statement-breakpoint
CREATE INDEX "campaigns_account" ON "campaigns" USING btree ("account_id","created_at");--> statement-breakpoint
CREATE INDEX "campaigns_due" ON "campaigns" USING btree ("state","due_at");--> statement-breakpoint
CREATE INDEX "contexts_archive" ON "contexts" USING btree ("account_id","archive");--> statement-breakpoint
CREATE INDEX "events_order" ON "events" USING btree ("xact","id");--> statement-breakpoint
CREATE INDEX "events_account" ON "events" USING btree ("account_id","xact","id");--> statement-breakpoint
CREATE UNIQUE INDEX "webhook_deliveries_event" ON "webhook_deliveries" USING btree ("event_id","webhook_id");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_webhook" ON "webhook_deliveries" USING btree ("webhook_id","id");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_due" ON "webhook_deliveries" USING btree ("webhook_id","next_at") WHERE "webhook_deliveries"."state" = 'waiting';--> statement-breakpoint
CREATE INDEX "webhooks_account" ON "webhooks" USING btree ("account_id","created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "projects_name" ON "projects" USING btree ("account_id","name");--> statement-breakpoint
CREATE INDEX "registry_connections_host" ON "registry_connections" USING btree ("account_id","host");--> statement-breakpoint
CREATE INDEX "request_nonces_expiry" ON "request_nonces" USING btree ("expires_at");--> statement-breakpoint
CREATE UNIQUE INDEX "users_name" ON "users" USING btree ("account_id","name");--> statement-breakpoint
CREATE UNIQUE INDEX "workspaces_name" ON "workspaces" USING btree ("account_id","name");--> statement-breakpoint
CREATE UNIQUE INDEX "workspaces_default" ON "workspaces" USING btree ("project_id") WHERE "workspaces"."is_default";--> statement-breakpoint
CREATE UNIQUE INDEX "image_groups_repository" ON "image_groups" USING btree ("workspace_id","host","repository");--> statement-breakpoint
CREATE INDEX "image_labels_pair" ON "image_labels" USING btree ("key","value");--> statement-breakpoint
CREATE UNIQUE INDEX "images_name" ON "images" USING btree ("workspace_id","name") WHERE "images"."status" NOT IN ('DELETED', 'CREATE_FAILED');--> statement-breakpoint
CREATE INDEX "images_reference" ON "images" USING btree ("account_id","host","repository","tag");--> statement-breakpoint
CREATE UNIQUE INDEX "images_registered" ON "images" USING btree ("workspace_id","host","repository","tag") WHERE "images"."status" NOT IN ('DELETED', 'CREATE_FAILED') AND "images"."via" = 'modelarts';--> statement-breakpoint
CREATE INDEX "images_group" ON "images" USING btree ("group_id");--> statement-breakpoint
CREATE INDEX "images_inspection" ON "images" USING btree ("inspection_id");--> statement-breakpoint
CREATE INDEX "images_pending" ON "images" USING btree ("not_before") WHERE "images"."pending";--> statement-breakpoint
CREATE INDEX "images_retiring" ON "images" USING btree ("retire_at") WHERE "images"."retire_at" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "images_drifted" ON "images" USING btree ("account_id","created_at") WHERE "images"."drift" IS NOT NULL OR "images"."stale";--> statement-breakpoint
CREATE INDEX "images_policy_due" ON "images" USING btree ("id") WHERE "images"."policy_due";--> statement-breakpoint
CREATE INDEX "tallies_list" ON "tallies" USING btree ("list","workspace_id","day");--> statement-breakpoint
CREATE INDEX "tallies_account" ON "tallies" USING btree ("account_id","list");--> statement-breakpoint
CREATE INDEX "image_packages_search" ON "image_packages" USING btree ("account_id","name_key","version_key");--> statement-breakpoint
CREATE INDEX "inspections_due" ON "inspections" USING btree ("not_before") WHERE "inspections"."state" IN ('waiting', 'reading');--> statement-breakpoint
CREATE INDEX "retention_plans_workspace" ON "retention_plans" USING btree ("workspace_id","created_at");--> statement-breakpoint
CREATE INDEX "watched_tags_due" ON "watched_tags" USING btree ("host","due_at");--> statement-breakpoint
CREATE INDEX "watched_tags_next" ON "watched_tags" USING btree ("due_at");--> statement-breakpoint
CREATE INDEX "worker_caches_worker" ON "worker_caches" USING btree ("worker");
--> statement-breakpoint
-- From here on, written by hand: what the description of the tables in src/tables cannot say.

-- The last word on a build's state: only the moves of the domain, and nothing once it has ended.
CREATE FUNCTION check_build_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.state, NEW.state) IN (
    ('queued', 'assigned'), ('queued', 'cancelling'),
    ('queued', 'cancelled'), ('queued', 'failed'), ('queued', 'expired'),
    ('assigned', 'queued'), ('assigned', 'running'), ('assigned', 'cancelling'),
    ('assigned', 'cancelled'), ('assigned', 'failed'), ('assigned', 'timed_out'),
    ('running', 'queued'), ('running', 'publishing'), ('running', 'cancelling'),
    ('running', 'cancelled'), ('running', 'failed'), ('running', 'timed_out'),
    ('publishing', 'queued'), ('publishing', 'registering'), ('publishing', 'cancelling'),
    ('publishing', 'cancelled'), ('publishing', 'failed'), ('publishing', 'timed_out'),
    ('registering', 'succeeded'), ('registering', 'cancelling'),
    ('registering', 'cancelled'), ('registering', 'failed'), ('registering', 'timed_out'),
    ('cancelling', 'cancelled')
  ) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'build % may not go from % to %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
END $$;
--> statement-breakpoint
CREATE TRIGGER builds_check_move BEFORE UPDATE OF state ON builds
  FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION check_build_move();
--> statement-breakpoint
CREATE FUNCTION keep_live_build() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'build % has not ended', OLD.id;
END $$;
--> statement-breakpoint
CREATE TRIGGER builds_keep_live BEFORE DELETE ON builds
  FOR EACH ROW WHEN (OLD.finished_at IS NULL) EXECUTE FUNCTION keep_live_build();
--> statement-breakpoint
-- Substring search without reading every row.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
--> statement-breakpoint
-- Lists in order of creation. What decides whether a viewer sees a row lies in the index, so that skipping rows on the
-- way to a page does not read them.
CREATE INDEX images_workspace_newest ON images (workspace_id, created_at, id)
  INCLUDE (account_id, user_id, visibility, status, service_type);
--> statement-breakpoint
CREATE INDEX images_account_newest ON images (account_id, created_at, id)
  INCLUDE (workspace_id, user_id, visibility, status, service_type);
--> statement-breakpoint
CREATE INDEX images_name_part ON images USING gin (name gin_trgm_ops);
--> statement-breakpoint
CREATE INDEX images_repository_part ON images USING gin (repository gin_trgm_ops);
--> statement-breakpoint
CREATE INDEX builds_account_newest ON builds (account_id, created_at, id)
  INCLUDE (workspace_id, user_id, accessibility, state, job_deleted_at);
--> statement-breakpoint
CREATE INDEX builds_workspace_newest ON builds (workspace_id, created_at, id)
  INCLUDE (account_id, user_id, accessibility, state, job_deleted_at);
--> statement-breakpoint
CREATE INDEX builds_state_newest ON builds (account_id, state, created_at, id);
--> statement-breakpoint
CREATE INDEX builds_reference ON builds (account_id, repository, tag);
--> statement-breakpoint
CREATE INDEX builds_image_name_part ON builds USING gin (image_name gin_trgm_ops);
--> statement-breakpoint
CREATE INDEX builds_display_name_part ON builds USING gin (display_name gin_trgm_ops);
--> statement-breakpoint
CREATE FUNCTION join_image_group() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  LOOP
    SELECT id INTO NEW.group_id FROM image_groups
      WHERE workspace_id = NEW.workspace_id AND host = NEW.host AND repository = NEW.repository;
    EXIT WHEN FOUND;
    INSERT INTO image_groups (id, account_id, workspace_id, host, repository)
      VALUES (gen_random_uuid(), NEW.account_id, NEW.workspace_id, NEW.host, NEW.repository)
      ON CONFLICT DO NOTHING;
  END LOOP;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER images_join_group BEFORE INSERT ON images FOR EACH ROW EXECUTE FUNCTION join_image_group();
--> statement-breakpoint
ALTER TABLE images ALTER COLUMN group_id SET NOT NULL;
--> statement-breakpoint
CREATE FUNCTION tally_image() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO tallies (list, account_id, workspace_id, user_id, visibility, status, service_type, n)
      VALUES ('images', OLD.account_id, OLD.workspace_id, OLD.user_id, OLD.visibility, OLD.status,
        OLD.service_type, -1);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO tallies (list, account_id, workspace_id, user_id, visibility, status, service_type, n)
      VALUES ('images', NEW.account_id, NEW.workspace_id, NEW.user_id, NEW.visibility, NEW.status, NEW.service_type, 1);
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER images_tally AFTER INSERT OR DELETE ON images FOR EACH ROW EXECUTE FUNCTION tally_image();
--> statement-breakpoint
CREATE TRIGGER images_tally_change AFTER UPDATE ON images FOR EACH ROW
  WHEN (ROW (OLD.status, OLD.visibility, OLD.size_bytes, OLD.updated_at)
    IS DISTINCT FROM ROW (NEW.status, NEW.visibility, NEW.size_bytes, NEW.updated_at))
  EXECUTE FUNCTION tally_image();
--> statement-breakpoint
CREATE FUNCTION tally_job() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.job_deleted_at IS NULL THEN
    INSERT INTO tallies (list, account_id, workspace_id, user_id, visibility, status, day, n)
      VALUES ('jobs', OLD.account_id, OLD.workspace_id, OLD.user_id, OLD.accessibility, OLD.state,
        (OLD.created_at AT TIME ZONE 'UTC')::date, -1);
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.job_deleted_at IS NULL THEN
    INSERT INTO tallies (list, account_id, workspace_id, user_id, visibility, status, day, n)
      VALUES ('jobs', NEW.account_id, NEW.workspace_id, NEW.user_id, NEW.accessibility, NEW.state,
        (NEW.created_at AT TIME ZONE 'UTC')::date, 1);
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER builds_tally AFTER INSERT OR DELETE ON builds FOR EACH ROW EXECUTE FUNCTION tally_job();
--> statement-breakpoint
CREATE TRIGGER builds_tally_change AFTER UPDATE ON builds FOR EACH ROW
  WHEN (ROW (OLD.state, OLD.accessibility, OLD.job_deleted_at)
    IS DISTINCT FROM ROW (NEW.state, NEW.accessibility, NEW.job_deleted_at))
  EXECUTE FUNCTION tally_job();
--> statement-breakpoint
CREATE FUNCTION audit_hash(entry audit_log) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT encode(sha256(convert_to(jsonb_build_array(
    entry.previous_hash, entry.id, extract(epoch FROM entry.at)::text, entry.account_id, entry.actor, entry.action,
    entry.target, entry.outcome, entry.details)::text, 'UTF8')), 'hex')
$$;
--> statement-breakpoint
CREATE FUNCTION audit_append() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE last record;
BEGIN
  -- One after the other: each row's hash covers the row before.
  PERFORM pg_advisory_xact_lock(7311905);
  SELECT id, hash INTO last FROM audit_log ORDER BY id DESC LIMIT 1;
  NEW.id := coalesce(last.id, 0) + 1;
  NEW.previous_hash := coalesce(last.hash, '');
  NEW.hash := audit_hash(NEW);
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- `admin audit cut` removes the oldest, and says so in the log; no app may delete here.
  IF TG_OP = 'DELETE' AND current_setting('kiln.audit_cut', true) = 'on' THEN RETURN NULL; END IF;
  RAISE EXCEPTION 'the audit log can only be appended to';
END $$;
--> statement-breakpoint
CREATE TRIGGER audit_append BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_append();
--> statement-breakpoint
CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log EXECUTE FUNCTION audit_refuse();
--> statement-breakpoint
-- Which builds a context's files are kept for.
CREATE INDEX builds_context ON builds (account_id, (request -> 'context' ->> 'id')) WHERE request ? 'context';
--> statement-breakpoint
-- Tenant isolation. A user that does not own the tables sees the rows of the account that its session names in
-- `kiln.account`, those of all accounts where that is `*`, and none where it is not set. Every statement names the
-- account as well.
CREATE FUNCTION anothers_build(wanted text) RETURNS boolean
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT EXISTS (
    SELECT 1 FROM builds WHERE id = wanted AND account_id IS DISTINCT FROM current_setting('kiln.account', true))
$$;
--> statement-breakpoint
CREATE FUNCTION anothers_image(wanted uuid) RETURNS boolean
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT EXISTS (
    SELECT 1 FROM images WHERE id = wanted AND account_id IS DISTINCT FROM current_setting('kiln.account', true))
$$;
--> statement-breakpoint
DO $$
DECLARE
  owned CONSTANT text[] := ARRAY['users', 'projects', 'workspaces', 'access_keys', 'tokens', 'registry_connections',
    'build_secrets', 'account_shares', 'account_turns', 'builds', 'image_groups', 'images', 'tallies', 'audit_log',
    'events', 'webhooks', 'webhook_deliveries', 'contexts', 'source_connections',
    'inspections', 'image_packages', 'layer_facts', 'workspace_policies',
    'attestations', 'signing_keys', 'watched_tags', 'retention_rules', 'retention_plans',
    'campaigns', 'campaign_images', 'worker_caches'];
  -- Children are seen with their parents. One may be written in the statement that writes its parent, which is not
  -- there to be seen before it ends: what is refused is a parent of another account.
  children CONSTANT text[][] := ARRAY[
    ['build_attempts', 'builds', 'build_id', 'anothers_build'],
    ['build_phases', 'builds', 'build_id', 'anothers_build'],
    ['build_steps', 'builds', 'build_id', 'anothers_build'],
    ['build_events', 'builds', 'build_id', 'anothers_build'],
    ['build_log_chunks', 'builds', 'build_id', 'anothers_build'],
    ['image_labels', 'images', 'image_id', 'anothers_image']
  ];
  -- As subselects they are asked once for a statement, not for each row.
  account CONSTANT text := '(SELECT current_setting(''kiln.account'', true))';
  everyone CONSTANT text := account || ' = ''*''';
  name text;
  child text[];
BEGIN
  FOREACH name IN ARRAY owned LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY own_account ON %I USING (%s OR account_id = %s)', name, everyone, account);
  END LOOP;
  FOREACH child SLICE 1 IN ARRAY children LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child[1]);
    EXECUTE format(
      'CREATE POLICY own_account ON %1$I USING (%2$s OR EXISTS (SELECT 1 FROM %3$I it WHERE it.id = %4$I))'
      ' WITH CHECK (%2$s OR NOT %5$I(%4$I))',
      child[1], everyone, child[2], child[3], child[4]);
  END LOOP;
  ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
  EXECUTE format('CREATE POLICY own_account ON accounts USING (%s OR id = %s)', everyone, account);
  ALTER TABLE workspace_members ENABLE ROW LEVEL SECURITY;
  EXECUTE format('CREATE POLICY own_account ON workspace_members'
    ' USING (%s OR EXISTS (SELECT 1 FROM workspaces it WHERE it.id = workspace_id))', everyone);
END $$;
--> statement-breakpoint
INSERT INTO event_marks (name, xact, id) VALUES ('webhooks', '0', 0), ('forgotten', '0', 0);
--> statement-breakpoint
-- Every change of state writes its event, in the same transaction, whichever process makes it. An event says what
-- happened; readers render it.
CREATE FUNCTION record_build_event() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO events (account_id, workspace_id, user_id, visibility, type, at, data)
  SELECT b.account_id, b.workspace_id, b.user_id, b.accessibility, 'build.' || NEW.state, NEW.at,
    jsonb_strip_nulls(jsonb_build_object(
    'kind', 'build', 'buildId', b.id, 'jobId', b.job_id, 'workspaceId', b.workspace_id, 'userId', b.user_id,
    'imageName', b.image_name, 'host', b.host, 'repository', b.repository, 'tag', b.tag,
    'state', NEW.state, 'attempt', NEW.attempt, 'message', left(NEW.message, 2000),
    'paiImageId', (SELECT i.pai_id FROM images i WHERE i.id = b.image_id), 'digest', b.digest, 'sizeBytes', b.size_bytes,
    'error', CASE WHEN b.error IS NOT NULL AND b.finished_at IS NOT NULL THEN jsonb_build_object(
      'code', b.error->>'code', 'class', b.error->>'class',
      'message', left(b.error->>'message', 2000), 'reason', b.error->>'reason') END))
  FROM builds b WHERE b.id = NEW.build_id;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER record_build_event AFTER INSERT ON build_events FOR EACH ROW EXECUTE FUNCTION record_build_event();
--> statement-breakpoint
CREATE FUNCTION record_image_event() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO events (account_id, workspace_id, user_id, visibility, type, data)
  VALUES (NEW.account_id, NEW.workspace_id, NEW.user_id, NEW.visibility,
    'image.' || CASE TG_ARGV[0] WHEN 'retiring' THEN coalesce(NEW.retiring->>'stage', 'restored')
      ELSE coalesce(TG_ARGV[0], lower(NEW.status)) END,
    jsonb_strip_nulls(jsonb_build_object(
    'kind', 'image', 'imageId', NEW.id, 'paiImageId', NEW.pai_id, 'workspaceId', NEW.workspace_id, 'userId', NEW.user_id,
    'name', NEW.name, 'host', NEW.host, 'repository', NEW.repository, 'tag', NEW.tag,
    'status', NEW.status, 'statusMessage', left(NEW.status_message, 2000),
    'digest', NEW.digest, 'sizeBytes', NEW.size_bytes, 'buildId', NEW.build_id,
    'check', CASE WHEN TG_ARGV[0] = 'checked' THEN NEW.checked END,
    'drift', CASE WHEN TG_ARGV[0] = 'drifted' THEN NEW.drift END)));
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER record_image_event AFTER INSERT ON images FOR EACH ROW EXECUTE FUNCTION record_image_event();
--> statement-breakpoint
CREATE TRIGGER record_image_change AFTER UPDATE OF status ON images
  FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
  EXECUTE FUNCTION record_image_event();
--> statement-breakpoint
CREATE TRIGGER record_image_check AFTER UPDATE OF checked ON images
  FOR EACH ROW WHEN (NEW.checked IS NOT NULL AND NEW.checked IS DISTINCT FROM OLD.checked)
  EXECUTE FUNCTION record_image_event('checked');
--> statement-breakpoint
CREATE TRIGGER record_image_drift AFTER UPDATE OF drift ON images
  FOR EACH ROW WHEN (NEW.drift IS DISTINCT FROM OLD.drift)
  EXECUTE FUNCTION record_image_event('drifted');
--> statement-breakpoint
CREATE TRIGGER record_image_retiring AFTER UPDATE OF retiring ON images
  FOR EACH ROW WHEN (NEW.retiring->>'stage' IS DISTINCT FROM OLD.retiring->>'stage')
  EXECUTE FUNCTION record_image_event('retiring');
--> statement-breakpoint
CREATE FUNCTION record_campaign_event() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO events (account_id, workspace_id, user_id, visibility, type, data)
  VALUES (NEW.account_id, NEW.workspace_id, NEW.user_id, 'PUBLIC', 'campaign.' || NEW.state,
    jsonb_strip_nulls(jsonb_build_object(
    'kind', 'campaign', 'campaignId', NEW.id, 'workspaceId', NEW.workspace_id, 'userId', NEW.user_id,
    'title', NEW.title, 'state', NEW.state, 'reason', left(NEW.reason, 2000),
    'counts', (SELECT jsonb_object_agg(outcome, n) FROM (
      SELECT outcome, count(*) AS n FROM campaign_images WHERE campaign_id = NEW.id GROUP BY outcome) it))));
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE CONSTRAINT TRIGGER record_campaign_event AFTER INSERT ON campaigns
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION record_campaign_event();
--> statement-breakpoint
CREATE TRIGGER record_campaign_change AFTER UPDATE OF state ON campaigns
  FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
  EXECUTE FUNCTION record_campaign_event();
--> statement-breakpoint
CREATE TRIGGER record_image_stale AFTER UPDATE OF stale ON images
  FOR EACH ROW WHEN (NEW.stale AND NOT OLD.stale)
  EXECUTE FUNCTION record_image_event('stale');
--> statement-breakpoint
-- Whatever process makes an image usable: what is in it is to be read, once for each digest and architecture, and held
-- against its workspace's policy. Who reads the digest now has its row locked, so that one of the two sees the other.
CREATE FUNCTION want_inspection() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO inspections (id, account_id, host, repository, reference, registry_connection_id, catalogued, arch, build_id)
  VALUES (NEW.inspection_id, NEW.account_id, NEW.host, NEW.repository, NEW.digest, NEW.registry_connection_id,
    true, NEW.arch, NEW.build_id)
  ON CONFLICT (id) DO UPDATE
    SET state = 'waiting', attempt = 0, not_before = now(), registry_connection_id = EXCLUDED.registry_connection_id
    WHERE inspections.state = 'failed';
  -- What was read before is known of this one, too.
  INSERT INTO image_labels (image_id, key, value)
  SELECT NEW.id, label.key, label.value FROM inspections i, jsonb_each_text(i.labels) label
  WHERE i.id = NEW.inspection_id AND i.labels IS NOT NULL
  ON CONFLICT DO NOTHING;
  UPDATE images SET policy_due = true WHERE id = NEW.id AND EXISTS (
    SELECT 1 FROM inspections i WHERE i.id = NEW.inspection_id AND i.state = 'done');
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER want_inspection AFTER INSERT OR UPDATE OF status, digest ON images
  FOR EACH ROW WHEN (NEW.status = 'ACTIVE' AND NEW.digest IS NOT NULL)
  EXECUTE FUNCTION want_inspection();

--> statement-breakpoint
-- Whatever process makes an image usable: its tag is to be asked for from now on, and those that its build started from,
-- which are in use.
CREATE FUNCTION watch_tags() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.status = 'ACTIVE' THEN RETURN NULL; END IF;
  -- What no build made has no bases: what looks for them is dear to plan.
  IF NEW.build_id IS NULL THEN
    INSERT INTO watched_tags (account_id, reference, host, registry_connection_id)
    SELECT NEW.account_id, NEW.host || '/' || NEW.repository || ':' || NEW.tag, NEW.host, NEW.registry_connection_id
    WHERE NOT EXISTS (SELECT FROM watched_tags w WHERE w.account_id = NEW.account_id
      AND w.reference = NEW.host || '/' || NEW.repository || ':' || NEW.tag)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
  END IF;
  -- One that is there is not even looked at by who would have to wait for whoever changes it.
  INSERT INTO watched_tags (account_id, reference, host, registry_connection_id)
  SELECT wanted.* FROM (
  SELECT NEW.account_id, NEW.host || '/' || NEW.repository || ':' || NEW.tag, NEW.host, NEW.registry_connection_id
  UNION
  SELECT DISTINCT b.account_id, base->>'reference', split_part(base->>'reference', '/', 1), NULL::text
  FROM builds b JOIN build_attempts a ON a.build_id = b.id AND a.attempt = b.attempt
    CROSS JOIN LATERAL jsonb_array_elements(a.bases) base
  WHERE b.id = NEW.build_id AND base ? 'reference'
  ) AS wanted (account_id, reference, host, registry_connection_id)
  WHERE NOT EXISTS (SELECT FROM watched_tags w WHERE w.account_id = wanted.account_id AND w.reference = wanted.reference)
  ON CONFLICT DO NOTHING;
  UPDATE images SET used_at = now() WHERE id IN (
    SELECT u.id FROM builds b JOIN build_attempts a ON a.build_id = b.id AND a.attempt = b.attempt
      CROSS JOIN LATERAL jsonb_array_elements(a.bases) base
      JOIN images u ON u.account_id = b.account_id AND u.host = split_part(base->>'id', '/', 1)
        AND u.repository = substr(split_part(base->>'id', '@', 1), length(split_part(base->>'id', '/', 1)) + 2)
        AND u.status IN ('ACTIVE', 'ERROR')
        AND u.digest IN (split_part(base->>'id', '@', 2), split_part(base->>'index', '@', 2))
    WHERE b.id = NEW.build_id AND (u.used_at IS NULL OR u.used_at < now() - interval '1 hour')
    FOR UPDATE OF u SKIP LOCKED);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER watch_tags AFTER INSERT OR UPDATE OF status ON images
  FOR EACH ROW WHEN (NEW.status = 'ACTIVE')
  EXECUTE FUNCTION watch_tags();
--> statement-breakpoint
-- How many slots each pool could use now, for what scales builders: what is under way, and what waits and may start by
-- its account's own limit. It shows numbers of all accounts together, and is its owner's: a reader of it needs no right
-- to the tables.
CREATE VIEW kiln_scaling AS
WITH under_way AS (
  SELECT pool, account_id, count(*) AS n FROM builds
  WHERE state IN ('assigned', 'running', 'publishing') OR state = 'queued' AND admitted_at IS NOT NULL
    OR state = 'cancelling' AND worker IS NOT NULL
  GROUP BY pool, account_id
), waiting AS (
  SELECT b.pool, b.account_id, count(*) AS n, min(greatest(b.created_at, b.not_before)) AS since,
    CASE WHEN coalesce(s.running_max, 0) = 0 THEN count(*)
      ELSE greatest(0, s.running_max - coalesce((SELECT sum(n) FROM under_way u WHERE u.account_id = b.account_id), 0))
    END AS may_start
  FROM builds b LEFT JOIN account_shares s ON s.account_id = b.account_id
  WHERE b.state = 'queued' AND b.admitted_at IS NULL AND b.not_before <= now()
  GROUP BY b.pool, b.account_id, s.running_max
), pools AS (
  SELECT '' AS pool UNION SELECT pool FROM workers WHERE app = 'builder'
  UNION SELECT pool FROM under_way UNION SELECT pool FROM waiting
)
SELECT pool,
  (coalesce((SELECT sum(n) FROM under_way u WHERE u.pool = pools.pool), 0)
    + coalesce((SELECT sum(least(n, may_start)) FROM waiting w WHERE w.pool = pools.pool), 0))::int AS wanted_slots,
  coalesce((SELECT extract(epoch FROM now() - min(since)) FROM waiting w WHERE w.pool = pools.pool AND may_start > 0),
    0)::float8 AS oldest_waiting_s
FROM pools;
