// The page: its three files, its settings, and the shop window.

import { readFile } from 'node:fs/promises';
import { Controller, Get, Header, Inject, StreamableFile } from '@nestjs/common';
import { ApiExcludeEndpoint, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ORDER_DEMO_OPTIONS, type OrderDemoOptions } from '../options.js';
import { InventoryClient, type Stock } from './inventory.client.js';

/** Allows no external and no inline resources. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The features that the page shows. */
interface PageSettings {
  readonly paymentTimeoutMs: number;
  /** Whether time-outs can be delivered now; a real server does not support this. */
  readonly canHurry: boolean;
  readonly canBreak: boolean;
}

@ApiTags('page')
@Controller()
export class PageController {
  constructor(
    @Inject(ORDER_DEMO_OPTIONS) private readonly options: OrderDemoOptions,
    private readonly inventory: InventoryClient,
  ) {}

  @Get()
  @ApiExcludeEndpoint()
  @Header('content-security-policy', POLICY)
  @Header('cache-control', 'no-cache')
  index(): Promise<StreamableFile> {
    return publicFile('index.html', 'text/html; charset=utf-8');
  }

  @Get('page.css')
  @ApiExcludeEndpoint()
  @Header('cache-control', 'no-cache')
  style(): Promise<StreamableFile> {
    return publicFile('page.css', 'text/css; charset=utf-8');
  }

  @Get('page.js')
  @ApiExcludeEndpoint()
  @Header('cache-control', 'no-cache')
  script(): Promise<StreamableFile> {
    return publicFile('page.js', 'text/javascript; charset=utf-8');
  }

  @Get('flow.js')
  @ApiExcludeEndpoint()
  @Header('cache-control', 'no-cache')
  flow(): Promise<StreamableFile> {
    return publicFile('flow.js', 'text/javascript; charset=utf-8');
  }

  @Get('settings')
  @ApiOperation({ summary: 'what the page can do here' })
  settings(): PageSettings {
    const { paymentTimeoutMs, controlEndpoint, faults } = this.options;
    return { paymentTimeoutMs, canHurry: controlEndpoint !== undefined, canBreak: faults !== undefined };
  }

  @Get('products')
  @ApiOperation({ summary: 'what inventory-demo has: available, reserved, sold' })
  products(): Promise<Stock[]> {
    return this.inventory.stock();
  }
}

async function publicFile(name: string, type: string): Promise<StreamableFile> {
  // Works from src/page and dist/page.
  return new StreamableFile(await readFile(new URL(`../../public/${name}`, import.meta.url)), { type });
}
