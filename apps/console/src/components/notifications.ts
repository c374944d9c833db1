import { notifications } from '@mantine/notifications';
import { ApiError } from '../api/api-client.ts';

/** Says that something was done. */
export const tell = (message: string): void => void notifications.show({ message, color: 'green', withBorder: true });

/** Says why it could not be done. */
export const tellError = (error: unknown): void =>
  void notifications.show({
    title: error instanceof ApiError ? error.code : 'No answer',
    message: error instanceof Error ? error.message : String(error),
    color: 'red',
    withBorder: true,
    autoClose: 12_000,
  });
