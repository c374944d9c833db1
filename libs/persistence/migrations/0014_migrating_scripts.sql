ALTER TABLE "builds" ALTER COLUMN "not_before" SET DEFAULT date_trunc('milliseconds', now());--> statement-breakpoint
ALTER TABLE "outbox" ALTER COLUMN "not_before" SET DEFAULT date_trunc('milliseconds', now());--> statement-breakpoint
ALTER TABLE "images" ALTER COLUMN "not_before" SET DEFAULT date_trunc('milliseconds', now());--> statement-breakpoint
ALTER TABLE "builds" ADD COLUMN "notes" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "images" ADD COLUMN "hidden" boolean DEFAULT false NOT NULL;