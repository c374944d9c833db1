ALTER TABLE "builds" ADD COLUMN "notes" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "images" ADD COLUMN "hidden" boolean DEFAULT false NOT NULL;