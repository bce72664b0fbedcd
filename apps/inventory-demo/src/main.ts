// The process of inventory-demo.

import 'reflect-metadata';
import { launch } from 'demo-kit';
import { createInventoryDemo } from './app.js';
import { optionsOf } from './options.js';

await launch('inventory-demo', process.env, optionsOf, createInventoryDemo);
