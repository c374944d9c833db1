import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import './page.css';
import { createTheme, MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { ApiError } from './api/api-client.ts';

const theme = createTheme({
  primaryColor: 'kiln',
  primaryShade: { light: 7, dark: 7 },
  autoContrast: true,
  colors: {
    kiln: [
      '#fff4ed', '#ffe6d5', '#feccaa', '#fdac74', '#fb8a3c', '#ea6a14', '#d55210', '#b9400f', '#943314', '#782c14',
    ],
  },
  defaultRadius: 'sm',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
}); // prettier-ignore

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 1000,
      // What the api refuses, it refuses again; what it cannot answer, it may in a moment.
      retry: (count, error) => !(error instanceof ApiError && error.status < 500) && count < 3,
      refetchOnWindowFocus: true,
    },
  },
});

const root = document.getElementById('root');
if (!root) throw new Error('the page has no root');
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={client}>
        <Notifications position="bottom-right" />
        <App />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
