CREATE TABLE "slot_samples" (
	"at" timestamp (3) with time zone NOT NULL,
	"pool" text NOT NULL,
	"slots" integer NOT NULL,
	"busy" integer NOT NULL,
	CONSTRAINT "slot_samples_at_pool_pk" PRIMARY KEY("at","pool")
);
--> statement-breakpoint
ALTER TABLE "workers" ADD COLUMN "cordoned" boolean DEFAULT false NOT NULL;